/** Judges trends over the epochs by Kendall's tau of each trial's curve. */

import { group, rollup, sum } from 'd3-array';
import { ownValue } from '../../lib/domain/own-value.ts';
import { hasResult } from '../../lib/domain/trial-result.ts';
import { countText } from '../../lib/text/numbers.ts';
import { estimateOf, moreSeedsFor, verdictOf } from './comparison.ts';
import { directedText, intervalText, type JudgedPart, type JudgedTrial, rounded } from './judgment.ts';
import { type Cell, normalTwoSided } from './statistics.ts';

/** A curve needs at least this many epochs to be judged. The direction of a shorter curve may well be due to chance. */
const MIN_EPOCHS = 4;

const MIN_SEEDS = 2;

/**
 * Judges a trend. Reduces each trial's curve to one number, tau, because the epochs of one trial are not independent
 * (summary measures: Matthews and others, BMJ 300, 1990). Two methods are then combined. A confidence interval is
 * computed for the mean of tau over the configs. The regional Kendall test checks whether chance can explain the common
 * direction of all curves. A claim is decided only if the interval excludes 0 and the test is significant.
 */
export function judgeTrend(
  { metric, rises }: { readonly metric: string; readonly rises: boolean },
  trials: readonly JudgedTrial[],
  errorRate: number,
): JudgedPart {
  const claim = `${metric} ${rises ? 'rises' : 'falls'} over epochs`;
  const undecided = (because: string): JudgedPart => {
    return { claim, verdict: 'undecided', estimate: undefined, because, moreSeeds: undefined };
  };
  const ended = trials.filter(({ state }) => hasResult(state));
  const curves = ended.map((trial) => ({ configId: trial.configId, series: seriesOf(trial, metric) }));
  const long = curves.filter(({ series }) => series.length >= MIN_EPOCHS);
  if (ended.length === 0) return undecided('no trial has a result yet');
  if (long.length === 0) return undecided(`no curve has the ${MIN_EPOCHS} epochs that a trend needs`);
  const configs = [...group(long, ({ configId }) => configId).values()]
    .filter(({ length }) => length >= MIN_SEEDS)
    .map((seeds) => seeds.map(({ series }) => trendOf(series)));
  if (configs.length === 0) {
    return undecided('at least two seeds per config are needed to distinguish a trend from chance');
  }

  const sign = rises ? 1 : -1;
  const trends = configs.flat();
  const cells: Cell[] = configs.map((seeds) => ({
    weight: sign / configs.length,
    values: seeds.map(({ tau }) => tau),
  }));
  const level = 1 - errorRate;
  const { effect, low, high } = estimateOf(cells, level, [trends.length, 0]);
  const clamp = (tau: number) => Math.max(-1, Math.min(1, tau));
  const estimate = {
    effect,
    low: clamp(low),
    high: clamp(high),
    level,
    effectSize: effect,
    n: [trends.length, 0] as const,
  };
  const p = normalTwoSided(jointZ(trends));
  const verdict = p <= errorRate ? verdictOf(estimate) : 'undecided';
  const found =
    `Kendall's tau is on average ${directedText(effect)}, ${intervalText(estimate)} (regional Kendall test ` +
    `p ${p < 0.001 ? '< 0.001' : `= ${rounded(p)}`}), over ` +
    `${countText(trends.length, 'curve')} of ${countText(configs.length, 'config')}; ${opposingSteps(trends, rises)}`;
  if (verdict !== 'undecided') return { claim, verdict, estimate, because: found, moreSeeds: undefined };
  const more = verdictOf(estimate) === 'undecided' ? moreSeedsFor(cells, level) : INSIGNIFICANT;
  return { claim, verdict, estimate, because: `${found}; ${more.text}`, moreSeeds: more.seeds };
}

const INSIGNIFICANT = { seeds: undefined, text: 'the curves are too short or too uneven to rule out chance' };

function opposingSteps(trends: readonly Trend[], rises: boolean): string {
  const against = sum(trends, ({ ups, downs }) => (rises ? downs : ups));
  const steps = sum(trends, (trend) => trend.steps);
  return `${against} of ${countText(steps, 'step')} between epochs ${against === 1 ? 'goes' : 'go'} against the claim`;
}

function seriesOf({ curve }: JudgedTrial, metric: string): number[] {
  return curve.flatMap(({ metrics }) => ownValue(metrics, metric) ?? []).filter(Number.isFinite);
}

export interface Trend {
  /** The number of rising pairs of values minus the number of falling pairs. */
  readonly s: number;
  /** The variance of `s` if there is no trend. Ties reduce the variance. */
  readonly variance: number;
  /** Kendall's tau-a: s divided by the number of pairs, from -1 (always falls) to 1 (always rises). */
  readonly tau: number;
  /** The number of steps between neighboring values. `ups` of these steps rise, and `downs` of them fall. */
  readonly steps: number;
  readonly ups: number;
  readonly downs: number;
}

/**
 * Computes Mann's trend test (Econometrica 13, 1945) with Kendall's S.
 * @param series the values of a curve, at least two
 */
export function trendOf(series: readonly number[]): Trend {
  const n = series.length;
  let s = 0;
  for (const [i, earlier] of series.entries()) {
    for (let j = i + 1; j < n; j++) s += Math.sign((series[j] ?? 0) - earlier);
  }
  const steps = series.slice(1).map((value, i) => Math.sign(value - (series[i] ?? 0)));
  const ties = rollup(
    series,
    ({ length }) => length,
    (value) => value,
  );
  return {
    s,
    variance: (varianceTerm(n) - sum(ties.values(), varianceTerm)) / 18,
    tau: s / ((n * (n - 1)) / 2),
    steps: steps.length,
    ups: steps.filter((step) => step > 0).length,
    downs: steps.filter((step) => step < 0).length,
  };
}

/** Returns 18 times the variance of S for n values without ties. */
const varianceTerm = (n: number): number => n * (n - 1) * (2 * n + 5);

/**
 * Returns the joint z-score of several series (the regional Kendall test: Helsel and Frans, Environmental Science &
 * Technology 40, 2006). The sum of S over all series is moved toward 0 by 1 (continuity correction). The result is
 * divided by the square root of the sum of the variances of S.
 */
export function jointZ(trends: readonly Trend[]): number {
  const s = sum(trends, (trend) => trend.s);
  const variance = sum(trends, (trend) => trend.variance);
  return variance === 0 ? 0 : (s - Math.sign(s)) / Math.sqrt(variance);
}
