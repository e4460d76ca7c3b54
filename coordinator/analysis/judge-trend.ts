/** Trends over the epochs: Kendall's tau of each trial's curve, and its spread over the seeds. */

import { hasResult } from '../../lib/domain/trial-result.ts';
import type { Cell } from './contrast.ts';
import { normalTwoSided } from './distributions.ts';
import { ERROR_RATE, estimateOf, moreSeedsFor, verdictOf } from './judge-comparison.ts';
import type { JudgedTrial } from './judged-trial.ts';
import { jointZ, type Trend, trendOf } from './mann-kendall.ts';
import type { JudgedPart } from './verdict.ts';
import { counted, percent, shown } from './wording.ts';

/** Below it no order of the values would be unlikely enough to be told from chance. */
export const MIN_EPOCHS = 4;

const MIN_SEEDS = 2;

/**
 * Each trial's curve comes to one number, its tau, as the epochs of one trial say little of another (summary measures:
 * Matthews and others, BMJ 300, 1990). The mean over the configs has the interval; that the curves go one way at all is
 * held against chance by the regional Kendall test. Both must agree.
 */
export function judgeTrend(metric: string, rises: boolean, trials: readonly JudgedTrial[]): JudgedPart {
  const claim = `${metric} ${rises ? 'rises' : 'falls'} over epochs`;
  const undecided = (because: string): JudgedPart => ({
    ...{ claim, verdict: 'undecided', estimate: undefined, because, moreSeeds: undefined },
  });
  const ended = trials.filter(({ state }) => hasResult(state));
  const curves = ended.map((trial) => ({ configId: trial.configId, series: seriesOf(trial, metric) }));
  const long = curves.filter(({ series }) => series.length >= MIN_EPOCHS);
  if (ended.length === 0) return undecided('no trial has a result yet');
  if (long.length === 0) return undecided(`no curve has ${MIN_EPOCHS} epochs or more, too few to tell a trend`);
  const configs = [...byConfig(long).values()].filter(({ length }) => length >= MIN_SEEDS);
  if (configs.length === 0) return undecided('two or more seeds of each config are needed to tell a trend from chance');

  const sign = rises ? 1 : -1;
  const trends = configs.flat();
  const cells: Cell[] = configs.map((seeds) => ({
    weight: sign / configs.length,
    values: seeds.map(({ tau }) => tau),
  }));
  const level = 1 - ERROR_RATE;
  const { effect, low, high } = estimateOf(cells, level, [trends.length, 0]);
  // Tau is on a scale of its own: it is its own effect size, and no tau is beyond 1.
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
  const verdict = p <= ERROR_RATE ? verdictOf(estimate) : 'undecided';
  const found =
    `tau ${shown(effect)} in the claim's direction (${percent(level)} interval ${shown(estimate.low)} to ` +
    `${shown(estimate.high)}; regional Kendall test p ${p < 0.001 ? '< 0.001' : `= ${shown(p)}`}) over ` +
    `${counted(trends.length, 'curve')} of ${counted(configs.length, 'config')}; ${upsAndDowns(trends, rises)}`;
  if (verdict !== 'undecided') return { claim, verdict, estimate, because: found, moreSeeds: undefined };
  const more = verdictOf(estimate) === 'undecided' ? moreSeedsFor(cells, level) : SHORT;
  return { claim, verdict, estimate, because: `${found}; ${more.text}`, moreSeeds: more.seeds };
}

const SHORT = { seeds: undefined, text: 'the curves are too short or too uneven to rule chance out' };

function upsAndDowns(trends: readonly Trend[], rises: boolean): string {
  const against = trends.reduce((sum, { ups, downs }) => sum + (rises ? downs : ups), 0);
  const steps = trends.reduce((sum, { steps }) => sum + steps, 0);
  return `${against} of ${counted(steps, 'step')} from one epoch to the next ${against === 1 ? 'goes' : 'go'} against it`;
}

function seriesOf({ curve }: JudgedTrial, metric: string): number[] {
  return curve.flatMap(({ metrics }) => metrics[metric] ?? []).filter(Number.isFinite);
}

function byConfig(curves: readonly { configId: string; series: readonly number[] }[]): Map<string, Trend[]> {
  const configs = new Map<string, Trend[]>();
  for (const { configId, series } of curves) {
    configs.set(configId, [...(configs.get(configId) ?? []), trendOf(series)]);
  }
  return configs;
}
