/** Computes the best value of a sweep so far, and its trend. */
import { configValue, countedReplicates } from '../../lib/domain/trial-result.ts';
import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import type { Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { sparkline } from '../draw/sparkline.ts';
import type { Board, ConfigRow } from './board.ts';
import type { Model } from './model.ts';

interface BestSoFar {
  readonly metric: string;
  /** The value of the config that ranks first. */
  readonly value: number;
  /**
   * The time at which the newest trial that counts for the value ended, in Unix milliseconds. Undefined for a
   * provisional value.
   */
  readonly sinceMs: number | undefined;
}

/** Returns the best value of the sweep's metric; undefined if no config has a value. */
function bestSoFar({ metrics, ranked }: Board): BestSoFar | undefined {
  const [metric] = metrics;
  const [row] = ranked[0]?.rows ?? [];
  const value = metric && row && configValue(row.trials, metric.name);
  if (metric === undefined || row === undefined || value === undefined) return undefined;
  return { metric: metric.name, value, sinceMs: resultTimeMs(row) };
}

/**
 * Returns the time at which the last trial that counts for a config's result ended; undefined while the config has no
 * result.
 */
function resultTimeMs({ trials }: ConfigRow): number | undefined {
  if (!trials.some(isEnded)) return undefined;
  const ended = countedReplicates(trials).filter(isEnded);
  return ended.length === 0 ? undefined : Math.max(...ended.map(({ endedAtMs }) => endedAtMs));
}

const isEnded = ({ state, endedAtMs }: Trial): boolean =>
  endedAtMs > 0 && (state === 'TRIAL_STATE_SUCCEEDED' || state === 'TRIAL_STATE_STOPPED');

/**
 * Divides a period into `parts` equal parts, and returns the best result so far at the end of each part; NaN before
 * the first result. Configs without a finished trial are omitted, because their values are provisional.
 * @param untilMs the end of the period, in Unix milliseconds
 */
export function bestOverTime(
  configs: readonly ConfigRow[],
  { name, goal }: Board['metrics'][number],
  { fromMs, untilMs, parts }: { readonly fromMs: number; readonly untilMs: number; readonly parts: number },
): number[] {
  const better = goal === 'maximize' ? Math.max : Math.min;
  const best = new Array<number>(parts).fill(Number.NaN);
  for (const config of configs) {
    const atMs = resultTimeMs(config);
    const value = atMs === undefined ? undefined : configValue(config.trials, name);
    if (atMs === undefined || value === undefined) continue;
    const part = Math.floor(((atMs - fromMs) / Math.max(1, untilMs - fromMs)) * parts);
    const at = Math.min(Math.max(0, part), parts - 1);
    best[at] = pick(better, best[at], value);
  }
  for (let at = 1; at < parts; at++) best[at] = pick(better, best[at], best[at - 1] ?? Number.NaN);
  return best;
}

const pick = (better: (a: number, b: number) => number, a: number | undefined, b: number): number =>
  a === undefined || Number.isNaN(a) ? b : Number.isNaN(b) ? a : better(a, b);

/** The number of characters of the trend. */
const TREND = 8;

const trends = new WeakMap<readonly ConfigRow[], readonly number[]>();

/** Returns the best results over the duration of the sweep. Caches them until the configs change. */
function trendOf({ analyzedConfigs, board, now }: BestModel, sweep: Sweep): readonly number[] {
  const [metric] = board.metrics;
  if (metric === undefined) return [];
  const known = trends.get(analyzedConfigs);
  if (known !== undefined) return known;
  const untilMs = sweepEnded(sweep) && sweep.endedAtMs > 0 ? sweep.endedAtMs : now;
  const trend = bestOverTime(analyzedConfigs, metric, { fromMs: sweep.createdAtMs, untilMs, parts: TREND });
  trends.set(analyzedConfigs, trend);
  return trend;
}

type BestModel = Pick<Model, 'board' | 'analyzedConfigs' | 'now'>;

/**
 * Returns the best value with its age, as in `best loss 0.12300, 2m03s ago`, and its trend, as in ` █▃▁▁`. Empty if the
 * sweep has no best value.
 */
export function bestTexts(model: BestModel, sweep: Sweep): { readonly value: string; readonly trend: string } {
  const best = bestSoFar(model.board);
  if (best === undefined) return { value: '', trend: '' };
  const age = best.sinceMs === undefined ? 'still running' : `${formatSpan(Math.max(0, model.now - best.sinceMs))} ago`;
  const trend = sparkline(trendOf(model, sweep), TREND).trimStart();
  return {
    value: `best ${best.metric} ${formatMetric(best.value)}, ${age}`,
    trend: trend.length > 1 ? ` ${trend}` : '',
  };
}
