/**
 * Defines which trials have a result, the value of a result, and how the values of replicates are combined.
 *
 * A result is complete if the trial succeeded, or if the rule `patience` stopped the trial because its curve no longer
 * improved. The other rules cut a trial off, so its value belongs to an early epoch. A result that was cut off is never
 * averaged with a complete result, or with a result that was cut off at another epoch:
 * - The value of a config is the mean of its complete results. If all of its results were cut off, the value is the
 *   mean of the results with the highest epoch.
 * - Comparisons (verdicts, differences, effects of parameters) use only configs of which no result was cut off. In
 *   other configs, early stopping selected the complete results by their values, so a confidence interval from these
 *   results would be wrong.
 */

import { deviation, mean } from 'd3-array';
import type { Spread, Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import type { GoalName, TrialStateName } from '../../proto/names.ts';
import { countText } from '../text/numbers.ts';
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

/**
 * Whether a trial has a value that is ranked: its result or, while it is running or interrupted, the provisional value
 * of its latest report.
 */
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

/** Returns the value of a trial's result. Undefined while the trial runs, and if the trial ended without a result. */
export function finishedValue(trial: Ranked & Pick<Trial, 'metrics'>, metric: string): number | undefined {
  return endedWithResult(trial) ? finiteMetric(trial.metrics, metric) : undefined;
}

/** The fields that decide whether a result is complete. */
interface ResultLength {
  readonly state: TrialStateName | TrialState;
  /** The rule that stopped the trial, with its reason, such as `asha: 2.5 ranks 3 of 6 at rung 1`. */
  readonly stopReason: string;
}

/** The prefix of the reasons of the rule `patience`, which stops a trial only if its own curve no longer improves. */
export const PATIENCE = 'patience: ';

/** Whether a rule stopped the trial before its value was final. */
export function isCutOff({ state, stopReason }: ResultLength): boolean {
  return (state === 'stopped' || state === 'TRIAL_STATE_STOPPED') && !stopReason.startsWith(PATIENCE);
}

/**
 * Returns the results from which the value of a config is computed: the complete results or, if all were cut off, the
 * results with the highest epoch.
 * @param results the replicates with a result
 */
export function countedResults<T extends ResultLength & { readonly epoch: number }>(
  results: readonly T[],
): readonly T[] {
  if (!results.some(isCutOff)) return results;
  const complete = results.filter((result) => !isCutOff(result));
  if (complete.length > 0) return complete;
  const furthest = Math.max(...results.map(({ epoch }) => epoch));
  return results.filter(({ epoch }) => epoch === furthest);
}

/**
 * Returns the replicates that a config's value is computed from: `countedResults` or, if no replicate has a result, the
 * running and interrupted replicates.
 */
export function countedReplicates(replicates: readonly Trial[]): readonly Trial[] {
  const ended = replicates.filter(endedWithResult);
  return ended.length > 0 ? countedResults(ended) : replicates.filter(hasValue);
}

/** Returns the number of results that the value of a config leaves out. */
export function leftOutOfConfig(replicates: readonly Trial[]): number {
  const ended = replicates.filter(endedWithResult);
  return ended.length - countedResults(ended).length;
}

/** Returns the replicates whose results are used in comparisons. Empty if a replicate of the config was cut off. */
export function comparedReplicates(replicates: readonly Trial[]): readonly Trial[] {
  const ended = replicates.filter(endedWithResult);
  return ended.some(isCutOff) ? [] : ended;
}

/** Returns the trials of the configs that comparisons use, and the number of results of the other configs. */
export function comparedTrials<
  T extends { readonly configId: string; readonly state: TrialStateName; readonly stopReason: string },
>(trials: readonly T[]): { compared: readonly T[]; leftOut: number } {
  const cutOff = new Set(trials.filter(isCutOff).map(({ configId }) => configId));
  if (cutOff.size === 0) return { compared: trials, leftOut: 0 };
  const others = trials.filter(({ configId }) => cutOff.has(configId));
  return {
    compared: trials.filter(({ configId }) => !cutOff.has(configId)),
    leftOut: others.filter(({ state }) => hasResult(state)).length,
  };
}

/** Returns a sentence with the number of results that the means of configs leave out. Empty if they leave out none. */
export function leftOutOfMeansText(configs: readonly { readonly leftOut: number }[]): string {
  const results = configs.reduce((total, { leftOut }) => total + leftOut, 0);
  if (results === 0) return '';
  return `${countText(results, 'result')} of trials that early stopping cut off ${results === 1 ? 'is' : 'are'} left out of the means`;
}

/** Returns a sentence with the number of results that a comparison leaves out. Empty if it leaves out none. */
export function leftOutText(results: number): string {
  if (results === 0) return '';
  const whose = results === 1 ? 'its config' : 'their configs';
  return `${countText(results, 'result')} left out, because early stopping cut off trials of ${whose}`;
}

function replicateValues(replicates: readonly Trial[], metric: string): number[] {
  return countedReplicates(replicates).flatMap(({ metrics }) => finiteMetric(metrics, metric) ?? []);
}

/**
 * Returns the value that a config is ranked by: the mean over its counted replicates. Undefined if no replicate has a
 * value, or the mean is not finite. Nothing is allocated for a single trial, because the dashboard calls this function
 * for each of 100,000 rows.
 * @param replicates the replicates in order of index, which makes the rounding reproducible
 */
export function configValue(replicates: readonly Trial[], metric: string): number | undefined {
  const [first] = replicates;
  if (replicates.length === 1 && first !== undefined) return trialValue(first, metric);
  // The sum of huge values can overflow.
  const value = meanOf(replicateValues(replicates, metric));
  return Number.isFinite(value) ? value : undefined;
}

/**
 * Returns the mean, the standard deviation and the number of the values of a config's counted replicates; undefined if
 * none has a value.
 */
export function configSpread(replicates: readonly Trial[], metric: string): Spread | undefined {
  const values = replicateValues(replicates, metric);
  return values.length === 0 ? undefined : spreadOf(values);
}

/** Returns the replicates of a config, except replicates whose result does not count in the value of the config. */
function representatives(replicates: readonly Trial[]): readonly Trial[] {
  const counted = new Set(countedReplicates(replicates));
  return replicates.filter((trial) => counted.has(trial) || !endedWithResult(trial));
}

/**
 * Returns the trial that represents a config: the replicate with the best value or, if no replicate has a value, the
 * replicate with the most epochs. A replicate whose result is left out of the config's value is never returned.
 */
export function bestReplicate(replicates: readonly [Trial, ...Trial[]], metric: string, goal: GoalName): Trial {
  const [any] = replicates;
  const [first = any, ...others] = replicates.length > 1 ? representatives(replicates) : replicates;
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
  // Because of rounding, the computed mean of equal values can differ from that value. This would change ranks.
  return (areEqual(values) ? values[0] : mean(values)) ?? Number.NaN;
}

function areEqual(values: readonly number[]): boolean {
  return values.every((value) => value === values[0]);
}
