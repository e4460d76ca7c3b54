/** A config with its replicates: a row of the leaderboard. */
import { configSpread, configValue, trialValue } from '../../lib/domain/trial-result.ts';
import type { Spread, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type TrialStateName, trialState } from '../../proto/names.ts';

export interface ConfigRow {
  /** The config's id. */
  readonly id: string;
  /** The index of the config's first trial. */
  readonly index: number;
  /** The replicates, by index. */
  readonly trials: readonly [Trial, ...Trial[]];
}

/** Returns the value that the row is ranked by (see lib/domain/trial-result.ts). */
export const rowValue = ({ trials }: ConfigRow, metric: string): number | undefined => configValue(trials, metric);

/** Returns mean and standard deviation over the row's replicates. */
export const rowSpread = ({ trials }: ConfigRow, metric: string): Spread | undefined => configSpread(trials, metric);

/**
 * Returns the trial that represents the config: the trial with the best result, or else the trial with the most epochs.
 */
export function bestTrial({ trials }: ConfigRow, metric: string, minimize: boolean): Trial {
  if (trials.length === 1) return trials[0];
  const sign = minimize ? 1 : -1;
  return trials.reduce((best, trial) => {
    const [a, b] = [trialValue(best, metric), trialValue(trial, metric)];
    if (a === undefined || b === undefined) return b !== undefined || trial.epoch > best.epoch ? trial : best;
    return sign * (b - a) < 0 ? trial : best;
  });
}

const PRECEDENCE: readonly TrialStateName[] = [
  'running',
  'interrupted',
  'failed',
  'offered',
  'pending',
  'held',
  'cancelled',
  'stopped',
  'succeeded',
];

/** Returns the most important state among the replicates, and the number of replicates in this state. */
export function configState({ trials }: ConfigRow): { readonly state: TrialStateName; readonly count: number } {
  if (trials.length === 1) return { state: trialState.of(trials[0].state), count: 1 };
  const states = trials.map((trial) => trialState.of(trial.state));
  const state = PRECEDENCE.find((name) => states.includes(name)) ?? 'pending';
  return { state, count: states.filter((name) => name === state).length };
}
