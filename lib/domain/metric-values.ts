/** Updates the value of each metric of a trial, and the step of that value, with each report that arrives. */
import type { GoalName } from '../../proto/names.ts';

/** The value of a metric, and the step at which this value was reported. The value can be NaN or infinite. */
export interface MetricValue {
  readonly value: number;
  readonly step: number;
}

export type MetricValues = ReadonlyMap<string, MetricValue>;

/**
 * Determines which step provides the value of the ranking metric. All other metrics have the value of their last step.
 */
export interface RankingRule {
  readonly metric: string;
  readonly goal: GoalName;
  /** `last` takes the value of the highest step; `best` takes the best value of all steps. */
  readonly at: 'last' | 'best';
}

/**
 * Returns the values after one more report. A metric has the value of its highest step. If a step is reported twice,
 * the later report counts. A metric that the report lacks keeps its value. With `at: best`, the ranking metric keeps
 * its best finite value.
 */
export function withReport(
  values: MetricValues,
  step: number,
  metrics: Iterable<readonly [string, number]>,
  rule?: RankingRule,
): Map<string, MetricValue> {
  const next = new Map(values);
  for (const [name, value] of metrics) {
    const before = next.get(name);
    const best = rule?.at === 'best' && rule.metric === name;
    if (before === undefined || (best ? isBetter(value, before.value, rule.goal) : step >= before.step)) {
      next.set(name, { value, step });
    }
  }
  return next;
}

/** Any finite value is better than NaN or infinity. */
function isBetter(value: number, than: number, goal: GoalName): boolean {
  if (!Number.isFinite(value)) return false;
  if (!Number.isFinite(than)) return true;
  return goal === 'minimize' ? value < than : value > than;
}

/** The metrics of one step of an attempt. */
export interface StepMetrics {
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Merges consecutive reports of the same attempt and step into one report. If a metric has two values at one step, the
 * later value counts. All other properties come from the last report of the step.
 * @param reports the reports, sorted by step; reports of the same step are in the order of their arrival
 */
export async function* mergedBySteps<R extends StepMetrics & { readonly attempt: number }>(
  reports: Iterable<R> | AsyncIterable<R>,
): AsyncGenerator<R, void, void> {
  let last: R | undefined;
  /**
   * The merged metrics of the current step, if it has several reports. The reports are merged into this one map,
   * because a new copy of the metrics for each report would be too slow for steps with many reports.
   */
  let metrics: Map<string, number> | undefined;
  for await (const report of reports) {
    if (last !== undefined && last.epoch === report.epoch && last.attempt === report.attempt) {
      metrics ??= new Map(Object.entries(last.metrics));
      for (const [name, value] of Object.entries(report.metrics)) metrics.set(name, value);
    } else {
      if (last !== undefined) yield withMetrics(last, metrics);
      metrics = undefined;
    }
    last = report;
  }
  if (last !== undefined) yield withMetrics(last, metrics);
}

function withMetrics<R extends StepMetrics>(report: R, metrics: ReadonlyMap<string, number> | undefined): R {
  return metrics === undefined ? report : { ...report, metrics: Object.fromEntries(metrics) };
}
