import type { SweepStateName, TrialStateName } from '../../proto/names.ts';

/**
 * Colours that stay apart for the colour-blind (cyan against yellow, never red against green) and that only repeat what
 * the words beside them say. Each is a name that Node's styleText knows.
 */
export type Style = 'cyan' | 'yellow' | 'magenta' | 'blue' | 'bold' | 'dim';

const TRIAL_STYLES: Partial<Record<TrialStateName, Style>> = {
  running: 'bold',
  succeeded: 'cyan',
  stopped: 'cyan',
  failed: 'yellow',
  cancelled: 'magenta',
  pending: 'dim',
  offered: 'dim',
};

const SWEEP_STYLES: Partial<Record<SweepStateName, Style>> = {
  running: 'bold',
  finished: 'cyan',
  paused: 'yellow',
  stopping: 'magenta',
  stopped: 'magenta',
  killed: 'yellow',
};

/** For curves over each other, in this order; each also ends in its own letter. */
const SERIES_STYLES: readonly Style[] = ['cyan', 'yellow', 'magenta', 'blue'];

export const trialStyle = (state: TrialStateName): Style | undefined => TRIAL_STYLES[state];
export const sweepStyle = (state: SweepStateName): Style | undefined => SWEEP_STYLES[state];
export const seriesStyle = (series: number): Style | undefined => SERIES_STYLES[series % SERIES_STYLES.length];
