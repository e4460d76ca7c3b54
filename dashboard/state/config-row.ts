/** A config with its replicates: a row of the leaderboard. */
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type TrialStateName, trialState } from '../../proto/names.ts';

export interface ConfigRow {
  /** The config's id. */
  readonly id: string;
  /** Of its first trial. */
  readonly index: number;
  /** In order of index; at least one. */
  readonly trials: readonly [Trial, ...Trial[]];
}

export interface Spread {
  readonly mean: number;
  /** Of the sample (n - 1); 0 when n is 1. */
  readonly std: number;
  readonly n: number;
}

/** What a failed or cancelled trial reported before its end is no result. */
export function resultOf(trial: Trial, metric: string): number | undefined {
  if (trial.state === 'TRIAL_STATE_FAILED' || trial.state === 'TRIAL_STATE_CANCELLED') return undefined;
  const value = trial.metrics[metric];
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

/** The mean of a metric over the replicates that have one. Called for every row: makes nothing for a single trial. */
export function meanOf({ trials }: ConfigRow, metric: string): number | undefined {
  if (trials.length === 1) return resultOf(trials[0], metric);
  let sum = 0;
  let n = 0;
  for (const trial of trials) {
    const value = resultOf(trial, metric);
    if (value === undefined) continue;
    sum += value;
    n++;
  }
  return n === 0 ? undefined : sum / n;
}

export function spreadOf(row: ConfigRow, metric: string): Spread | undefined {
  const mean = meanOf(row, metric);
  if (mean === undefined) return undefined;
  const values = row.trials.flatMap((trial) => resultOf(trial, metric) ?? []);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0, n: values.length };
}

/** The trial that stands for the config: of its best result by the metric, else the one that came furthest. */
export function bestTrial({ trials }: ConfigRow, metric: string, minimize: boolean): Trial {
  if (trials.length === 1) return trials[0];
  const sign = minimize ? 1 : -1;
  return trials.reduce((best, trial) => {
    const [a, b] = [resultOf(best, metric), resultOf(trial, metric)];
    if (a === undefined || b === undefined) return b !== undefined || trial.epoch > best.epoch ? trial : best;
    return sign * (b - a) < 0 ? trial : best;
  });
}

/** What matters most first. */
const PRECEDENCE: readonly TrialStateName[] = [
  'running',
  'failed',
  'offered',
  'pending',
  'cancelled',
  'stopped',
  'succeeded',
];

/** The state of its replicates, the one that matters most first; how many are in it where they differ. */
export function configState({ trials }: ConfigRow): { readonly state: TrialStateName; readonly count: number } {
  if (trials.length === 1) return { state: trialState.of(trials[0].state), count: 1 };
  const states = trials.map((trial) => trialState.of(trial.state));
  const state = PRECEDENCE.find((name) => states.includes(name)) ?? 'pending';
  return { state, count: states.filter((name) => name === state).length };
}
