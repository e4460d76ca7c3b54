import type { SweepStateName, TrialStateName } from '../../proto/names.ts';

/**
 * Styles of text, named as in Node's styleText. Color-blind readers can distinguish the colors (cyan and yellow,
 * never red and green). Color only repeats information that the text states.
 */
export type Style = 'cyan' | 'yellow' | 'magenta' | 'blue' | 'bold' | 'dim' | 'inverse';

const TRIAL_STYLES: Partial<Record<TrialStateName, Style>> = {
  running: 'bold',
  interrupted: 'yellow',
  succeeded: 'cyan',
  stopped: 'cyan',
  failed: 'yellow',
  cancelled: 'magenta',
  held: 'dim',
  pending: 'dim',
  offered: 'dim',
};

const SWEEP_STYLES: Partial<Record<SweepStateName, Style>> = {
  running: 'bold',
  interrupted: 'yellow',
  finished: 'cyan',
  paused: 'yellow',
  stopping: 'magenta',
  stopped: 'magenta',
  killed: 'yellow',
};

const SERIES_STYLES: readonly Style[] = ['cyan', 'yellow', 'magenta', 'blue'];

export const trialStyle = (state: TrialStateName): Style | undefined => TRIAL_STYLES[state];
export const sweepStyle = (state: SweepStateName): Style | undefined => SWEEP_STYLES[state];
export const seriesStyle = (series: number): Style | undefined => SERIES_STYLES[series % SERIES_STYLES.length];
