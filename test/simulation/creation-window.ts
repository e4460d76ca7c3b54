import type { CreationWindow } from '../../coordinator/core/model.ts';

/** The window is smaller than most sweeps, so that most sweeps create trials while they run. */
export const SIMULATED_WINDOW: CreationWindow = { trials: 3, packsPerSlot: 0 };
