/** Defines which trials have a result, the value of a result, and how the values of replicates are combined. */

import { deviation, mean } from 'd3-array';
import type { Spread, Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { GoalName, TrialStateName } from '../../proto/names.ts';
import { ownValue } from './own-value.ts';

/** Whether the last report of a trial in this state is its result. Failed and cancelled trials have no result. */
export function hasResult(state: TrialStateName): boolean {
  return state === 'succeeded' || state === 'stopped';
}

/**
 * Returns the value of a trial's result. Undefined if the trial has no result, or its value is missing or not finite.
 */
export function resultOf(
  { state, metrics }: { readonly state: TrialStateName; readonly metrics: Readonly<Record<string, number>> },
  metric: string,
): number | undefined {
  return hasResult(state) ? finiteMetric(metrics, metric) : undefined;
}

/**
 * The fields that decide whether a trial is ranked. If the current version of a sweep lacks the point of a trial, the
 * trial keeps its result, but has no rank.
 */
type Ranked = Pick<Trial, 'state' | 'droppedIn'>;

const endedWithResult = ({ state, droppedIn = 0 }: Ranked): boolean =>
  droppedIn === 0 && (state === 'TRIAL_STATE_SUCCEEDED' || state === 'TRIAL_STATE_STOPPED');

/** Whether a trial has a result that is ranked. A running or interrupted trial can have one, which is provisional. */
export function hasValue(trial: Ranked): boolean {
  const { state, droppedIn = 0 } = trial;
  if (droppedIn > 0) return false;
  return endedWithResult(trial) || state === 'TRIAL_STATE_RUNNING' || state === 'TRIAL_STATE_INTERRUPTED';
}

/** Returns the value of a metric; undefined if the value is missing or not finite. */
export function finiteMetric(metrics: Readonly<Record<string, number>>, name: string): number | undefined {
  const value = ownValue(metrics, name);
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

/** Returns the value that a single trial is ranked by: its result or, while it runs, its latest report. */
export function trialValue(trial: Ranked & Pick<Trial, 'metrics'>, metric: string): number | undefined {
  return hasValue(trial) ? finiteMetric(trial.metrics, metric) : undefined;
}

/** Returns the value of a finished trial's result. Undefined while the trial runs, and if the trial has no result. */
export function finishedValue(trial: Ranked & Pick<Trial, 'metrics'>, metric: string): number | undefined {
  return endedWithResult(trial) ? finiteMetric(trial.metrics, metric) : undefined;
}

/**
 * Returns the replicates that a config's value is computed from: the replicates with a result or, if none has a result,
 * the running replicates.
 */
export function countedReplicates(replicates: readonly Trial[]): readonly Trial[] {
  const ended = replicates.filter(endedWithResult);
  return ended.length > 0 ? ended : replicates.filter(hasValue);
}

function replicateValues(replicates: readonly Trial[], metric: string): number[] {
  return countedReplicates(replicates).flatMap(({ metrics }) => finiteMetric(metrics, metric) ?? []);
}

/**
 * Returns the value that a config is ranked by: the finite mean over its counted replicates. Nothing is allocated for a
 * single trial, because the dashboard calls this function for each of 100,000 rows.
 * @param replicates the replicates in order of index, which makes the rounding reproducible
 */
export function configValue(replicates: readonly Trial[], metric: string): number | undefined {
  const [first] = replicates;
  if (replicates.length === 1 && first !== undefined) return trialValue(first, metric);
  // The sum of huge values can overflow.
  const value = meanOf(replicateValues(replicates, metric));
  return Number.isFinite(value) ? value : undefined;
}

/** Returns mean, standard deviation and count over a config's counted replicates, or undefined if none has a value. */
export function configSpread(replicates: readonly Trial[], metric: string): Spread | undefined {
  const values = replicateValues(replicates, metric);
  return values.length === 0 ? undefined : spreadOf(values);
}

/**
 * Returns the trial that represents a config: the replicate with the best value, or else the replicate with the most
 * epochs.
 */
export function bestReplicate([first, ...others]: readonly [Trial, ...Trial[]], metric: string, goal: GoalName): Trial {
  const sign = goal === 'minimize' ? 1 : -1;
  return others.reduce((best, trial) => {
    const [a, b] = [trialValue(best, metric), trialValue(trial, metric)];
    if (a === undefined || b === undefined) return b !== undefined || trial.epoch > best.epoch ? trial : best;
    return sign * (b - a) < 0 ? trial : best;
  }, first);
}

/**
 * Returns the mean, the standard deviation of the sample (n - 1 in the denominator; 0 if n is 1) and the count.
 * @param values the values, all finite
 */
export function spreadOf(values: readonly number[]): Spread {
  return { mean: meanOf(values), std: areEqual(values) ? 0 : (deviation(values) ?? 0), n: values.length };
}

/** Returns the mean; NaN if there are no values. The mean of equal values is exactly that value. */
export function meanOf(values: readonly number[]): number {
  // The rounded mean of equal values can differ from the value, which would change ranks.
  return (areEqual(values) ? values[0] : mean(values)) ?? Number.NaN;
}

function areEqual(values: readonly number[]): boolean {
  return values.every((value) => value === values[0]);
}
