/**
 * Maintains the Prometheus series of one sweep. Most counters start at zero for every known label value. All series are
 * removed after the sweep ends.
 */
import type { Metric } from 'prom-client';
import type { TimeLeft } from '../../lib/domain/eta.ts';
import { usualGoal } from '../../lib/domain/ranking.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { Sweep as StoredSweep } from '../../proto/gen/trawl/v1/types.ts';
import { type GoalName, goal, WARNING_KINDS } from '../../proto/names.ts';
import type { Sweep } from '../core/model.ts';
import { FINAL_STATES } from '../core/trial-model.ts';
import { droppedTrials, expectedTrials } from '../core/trials.ts';
import type { RuleName } from '../early-stop/settings.ts';
import type { Queries } from '../store/queries.ts';
import { parseStoredSweep } from '../sweepfile/parse.ts';
import type { CoordinatorMetrics } from './families.ts';
import type { Ranking } from './trial-series.ts';

const OUTCOMES = ['succeeded', 'stopped', 'failed', 'cancelled'] as const;
const CLASSES = ['oom', 'nan', 'crash', 'lost', 'timeout', 'preflight', 'rejected', 'drained'] as const;
/**
 * After a failure of these classes, a trial is retried only if a user requests it. The series of such retries are
 * created at the first retry.
 */
const MANUALLY_RETRIED: ReadonlySet<string> = new Set(['nan', 'rejected']);

/**
 * The maximum number of metrics with a series per sweep. Metrics get a series in the order of their first reports. The
 * ranking metric has a series even above this maximum.
 */
export const MAX_BEST_METRICS = 200;

/** The stored data from which the series of a sweep get their first values. */
interface StoredFigures {
  readonly sweep: StoredSweep;
  readonly method: string;
  readonly lastReportAt: number | undefined;
  readonly extremes: readonly { readonly metric: string; readonly least: number; readonly greatest: number }[];
}

export class SweepSeries {
  readonly id: string;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly ranking: Ranking;
  readonly #metrics: CoordinatorMetrics;
  readonly #best = new Map<string, number>();
  /** Whether lower values are better, for the metrics that have a series. Each report needs it for all of its metrics. */
  readonly #directions = new Map<string, boolean>();
  /** The states that already have a series. A state keeps its series even if its count is 0 again. */
  readonly #seen = new Set<string>();

  /**
   * Adds the series of a sweep, with the values that the store already has.
   * @param trials the number of trials that the sweep will have
   * @param rule the early-stopping rule of the sweep, if it has one
   */
  static async open(
    metrics: CoordinatorMetrics,
    queries: Queries,
    sweepId: string,
    trials: number,
    rule?: RuleName,
  ): Promise<SweepSeries> {
    const stored = {
      sweep: await queries.sweeps.get(sweepId),
      method: await methodOf(queries, sweepId),
      lastReportAt: await queries.attempts.lastReportAt(sweepId),
      extremes: await queries.attempts.extremes(sweepId),
    };
    return new SweepSeries(metrics, sweepId, stored, trials, rule);
  }

  private constructor(
    metrics: CoordinatorMetrics,
    sweepId: string,
    { sweep, method, lastReportAt, extremes }: StoredFigures,
    trials: number,
    rule: RuleName | undefined,
  ) {
    const metric = sweep.metric?.name ?? '';
    const own: GoalName = sweep.metric === undefined ? usualGoal(metric) : goal.of(sweep.metric.goal);
    this.id = sweepId;
    this.createdAt = sweep.createdAtMs;
    this.ranking = { metric, lessIsBetter: own === 'minimize' };
    this.#metrics = metrics;
    const m = metrics;
    m.sweepInfo.set({ sweep: sweepId, name: sweep.name, method, metric }, 1);
    m.sweepStart.set({ sweep: sweepId }, sweep.createdAtMs / 1000);
    m.trialsExpected.set({ sweep: sweepId }, trials);
    m.trialsExcluded.set({ sweep: sweepId }, sweep.excluded);
    m.gpuSeconds.inc({ sweep: sweepId }, 0);
    m.stragglersFound.inc({ sweep: sweepId }, 0);
    if (rule !== undefined) {
      m.earlyStops.inc({ sweep: sweepId, rule }, 0);
      m.savedEpochs.inc({ sweep: sweepId }, 0);
    }
    for (const outcome of OUTCOMES) m.trialsFinished.inc({ sweep: sweepId, outcome }, 0);
    for (const failure of CLASSES) {
      m.trialFailures.inc({ sweep: sweepId, class: failure }, 0);
      if (!MANUALLY_RETRIED.has(failure)) m.trialRetries.inc({ sweep: sweepId, class: failure }, 0);
    }
    for (const family of [m.trialDuration, m.queueWait, m.epochDuration]) family.zero({ sweep: sweepId });
    if (lastReportAt !== undefined) m.lastReport.set({ sweep: sweepId }, lastReportAt / 1000);
    for (const { metric, least, greatest } of extremes) {
      if (!this.#hasSeries(metric)) continue;
      const best = this.#lessIsBetter(metric) ? least : greatest;
      this.#best.set(metric, best);
      m.bestMetric.set({ sweep: sweepId, metric }, best);
    }
  }

  reported(values: Readonly<Record<string, number>>, at: number): void {
    const { id: sweep } = this;
    this.#metrics.lastReport.set({ sweep }, at / 1000);
    for (const [metric, value] of Object.entries(values)) {
      if (!Number.isFinite(value) || !this.#hasSeries(metric)) continue;
      const best = this.#best.get(metric);
      if (best !== undefined && (this.#lessIsBetter(metric) ? value >= best : value <= best)) continue;
      this.#best.set(metric, value);
      this.#metrics.bestMetric.set({ sweep, metric }, value);
      if (metric === this.ranking.metric) this.#metrics.lastImprovement.set({ sweep }, at / 1000);
    }
  }

  /**
   * Sets the gauges.
   * @param timeLeft the estimated time left; undefined without an estimate
   */
  measure(sweep: Sweep, timeLeft: TimeLeft | undefined): void {
    this.#setCounts(presentCounts(sweep));
    this.#metrics.stragglers.set({ sweep: sweep.id }, sweep.warnings.stragglers.size);
    this.#metrics.trialsExpected.set({ sweep: sweep.id }, expectedTrials(sweep));
    for (const kind of WARNING_KINDS) {
      const shown = sweep.warnings.shown.get(kind);
      if (shown === undefined) this.#metrics.sweepWarnings.remove({ sweep: sweep.id, kind });
      else this.#metrics.sweepWarnings.set({ sweep: sweep.id, kind }, shown.count);
    }
    if (timeLeft === undefined) this.#metrics.eta.remove({ sweep: sweep.id });
    else this.#metrics.eta.set({ sweep: sweep.id }, timeLeft.expectedMs / 1000);
  }

  /** Sets the final counts of a sweep, which remain until the series are removed. */
  end(counts: Readonly<Record<string, number>>, at: number): void {
    this.#setCounts(counts);
    this.#metrics.stragglers.set({ sweep: this.id }, 0);
    this.#metrics.sweepEnd.set({ sweep: this.id }, at / 1000);
    this.#metrics.eta.set({ sweep: this.id }, 0);
  }

  /** Removes the end time of the sweep. Called when the sweep runs again after its end. */
  resume(): void {
    this.#metrics.sweepEnd.remove({ sweep: this.id });
  }

  remove(): void {
    for (const family of Object.values(this.#metrics.sweepFamilies)) void removeSweep(family, this.id);
  }

  /**
   * Sets the number of trials in each state. The states `held` and `dropped` get a series when their
   * count first exceeds 0.
   */
  #setCounts(counts: Readonly<Record<string, number>>): void {
    for (const [state, count] of Object.entries(counts)) {
      const isRare = state === 'held' || state === 'dropped';
      if (isRare && count === 0 && !this.#seen.has(state)) continue;
      this.#seen.add(state);
      this.#metrics.trials.set({ sweep: this.id, state }, count);
    }
  }

  #hasSeries(metric: string): boolean {
    return this.#best.size < MAX_BEST_METRICS || this.#best.has(metric) || metric === this.ranking.metric;
  }

  #lessIsBetter(metric: string): boolean {
    const known = this.#directions.get(metric);
    if (known !== undefined) return known;
    const isLower = metric === this.ranking.metric ? this.ranking.lessIsBetter : usualGoal(metric) === 'minimize';
    this.#directions.set(metric, isLower);
    return isLower;
  }
}

/** Counts trials as `trawl show` does: dropped trials that have ended count only as dropped. */
function presentCounts(sweep: Sweep): Record<string, number> {
  const counts: Record<string, number> = { ...sweep.counts, dropped: droppedTrials(sweep) };
  for (const state of FINAL_STATES) counts[state] = sweep.counts[state] - sweep.dropped[state];
  return counts;
}

/** Returns the search method of a sweep, or `unknown` if this version of trawl rejects the stored sweep file. */
async function methodOf(queries: Queries, sweepId: string): Promise<string> {
  const { text, fileName } = await queries.sweeps.file(sweepId);
  try {
    return parseStoredSweep(text, fileName).search?.method ?? 'grid';
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    return 'unknown';
  }
}

/** Removes a sweep's series from a family. prom-client can only remove complete label sets. */
async function removeSweep(family: Metric, sweep: string): Promise<void> {
  const { values } = await family.get();
  for (const value of values) {
    const { le: _, ...labels } = value.labels as Record<string, string | number>;
    if (labels.sweep === sweep) family.remove(labels);
  }
}
