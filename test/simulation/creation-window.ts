import type { CreationWindow } from '../../coordinator/core/model.ts';

/** Smaller than most sweeps, so that most sweeps create trials while they run. */
export const SIMULATED_WINDOW: CreationWindow = { trials: 3, packsPerSlot: 0 };
