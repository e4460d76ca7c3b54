import type { CreationWindow } from '../../coordinator/core/model.ts';

/** Smaller than most sweeps, so that their trials are created while they run. */
export const SIMULATED_WINDOW: CreationWindow = { trials: 3, packsPerSlot: 0 };
