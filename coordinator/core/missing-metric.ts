/**
 * Finds trials that lack the ranking metric, in sweeps that run a user's program. Creates the warning about these
 * trials.
 */
import type { MetricValues } from '../../lib/domain/metric-values.ts';
import { nearest } from '../../lib/text/did-you-mean.ts';
import type { Sweep } from './model.ts';
import type { Change } from './step.ts';
import type { Warning } from './sweep-observations.ts';

/** If this many trials have a result, and all of them lack the ranking metric, the sweep is paused. */
const TRIALS_WITHOUT_METRIC = 5;
/** The number of distinct steps after which a trial should have reported the ranking metric. */
export const STEPS_WITHOUT_METRIC = 3;
const NAMED_METRICS = 8;
const KEPT_METRICS = 1_000;

/**
 * Records the names of reported metrics.
 * @returns whether one of the names is new
 */
export function addReported({ policy, warnings: { reported } }: Sweep, names: readonly string[]): boolean {
  const before = reported.size;
  for (const name of names) {
    if (reported.size < KEPT_METRICS || name === policy.ranking.metric) reported.add(name);
  }
  return reported.size > before;
}

/**
 * Counts a trial that has a result, if its metrics lack the ranking metric.
 * @param values the metric values of the trial
 */
export function countLacking(sweep: Sweep, values: MetricValues): Change[] {
  const { metric } = sweep.policy.ranking;
  if (metric === '' || values.has(metric)) return [];
  sweep.warnings.lacking += 1;
  return [factsOf(sweep)];
}

export function factsOf({ id: sweepId, warnings: { reported, lacking } }: Sweep): Change {
  return { kind: 'facts', sweepId, reported: [...reported], lacking };
}

/** @param thirdStep whether a trial has reported its third distinct step (STEPS_WITHOUT_METRIC) */
export function missingMetric(sweep: Sweep, thirdStep: boolean): Omit<Warning, 'since'> | undefined {
  const { metric } = sweep.policy.ranking;
  if (metric === '') return undefined;
  const { shown, reported, lacking } = sweep.warnings;
  const name = JSON.stringify(metric);
  if (lacking > 0) {
    const trials = `${lacking} of ${resultsOf(sweep)} ended trials`;
    return { message: `${trials} did not report metric ${name}${hintOf(sweep)}`, count: lacking };
  }
  if (reported.has(metric) || !(thirdStep || shown.has('missing_metric'))) return undefined;
  return { message: `no trial has reported metric ${name}${hintOf(sweep)}`, count: 1 };
}

/**
 * Returns a reason to pause the sweep if the first trials with a result all lack the ranking metric; returns undefined
 * otherwise.
 */
export function lacksMetricFromTheStart(sweep: Sweep): string | undefined {
  const { lacking } = sweep.warnings;
  if (resultsOf(sweep) !== TRIALS_WITHOUT_METRIC || lacking !== TRIALS_WITHOUT_METRIC) return undefined;
  const { metric } = sweep.policy.ranking;
  return `the first ${TRIALS_WITHOUT_METRIC} trials ended without metric ${JSON.stringify(metric)}${hintOf(sweep)}`;
}

function hintOf({ policy: { ranking }, warnings: { reported } }: Sweep): string {
  const names = [...reported].filter((name) => name !== ranking.metric);
  if (names.length === 0) return '; no other metric is reported';
  const more = names.length > NAMED_METRICS ? ` and ${names.length - NAMED_METRICS} more` : '';
  const listed = `; reported: ${names.slice(0, NAMED_METRICS).join(', ')}${more}`;
  const meant = reported.has(ranking.metric)
    ? undefined
    : (nearest(ranking.metric, names) ?? partOf(ranking.metric, names));
  return meant === undefined ? listed : `${listed}; did you mean ${JSON.stringify(meant)}?`;
}

function partOf(metric: string, names: readonly string[]): string | undefined {
  const [text, ...folded] = [metric, ...names].map((name) => name.toLowerCase().replaceAll(/[-_./ ]/g, ''));
  const at = folded.findIndex((name) => text && name && (name.includes(text) || text.includes(name)));
  return names[at];
}

/** Returns how many trials of the sweep have a result. */
function resultsOf({ counts }: Sweep): number {
  return counts.succeeded + counts.stopped;
}
