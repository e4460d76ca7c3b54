/**
 * Population based training (M. Jaderberg et al., Population Based Training of Neural Networks, arXiv:1711.09846,
 * 2017). All members of a population train for the same number of epochs, and are then compared. The worst members are
 * replaced by children of the best members (exploit: truncation selection). A child continues from the checkpoint of
 * its parent, and its parameters are perturbed or get new random values (explore).
 */
import type { RankingRule } from '../../lib/domain/metric-values.ts';
import type { Parameters, ParameterValue } from '../../proto/trainers.ts';
import { valueAt } from '../search/quantile.ts';
import { randomCoordinate } from '../search/random.ts';
import { CONTINUE, type EarlyStopRule } from './rule.ts';
import type { ExploredDistribution, PopulationSettings } from './settings.ts';

/**
 * Creates a rule whose rungs are the multiples of `interval`. The rule itself stops no trial: core/population.ts
 * compares the members.
 */
export function populationRule({ interval }: PopulationSettings, { at }: RankingRule): EarlyStopRule {
  return {
    entryOf(curve) {
      const point = curve.at(-1);
      if (point === undefined) return undefined;
      const rung = Math.floor(point.step / interval) * interval;
      const isNew = rung > 0 && (curve.at(-2)?.step ?? 0) < rung;
      return isNew ? { rung, score: at === 'best' ? point.best : point.score } : undefined;
    },
    decide: () => CONTINUE,
  };
}

export interface Selection<M> {
  /** The members that can be parents, best first. */
  readonly parents: readonly M[];
  /** The members to replace, worst first. Failed members are replaced too, but are not in this list. */
  readonly replaced: readonly M[];
}

/**
 * Selects the parents and the members to replace. Failed members count as worse than all others.
 * @param ranked the members that have not failed, best first
 * @param failed the number of failed members that have not been replaced
 */
export function selectMembers<M>(ranked: readonly M[], failed: number, quantile: number): Selection<M> {
  const count = quantileCount(ranked.length + failed, quantile);
  const parents = ranked.slice(0, Math.max(1, count));
  const rest = ranked.slice(parents.length);
  return { parents, replaced: rest.slice(rest.length - Math.max(0, Math.min(rest.length, count - failed))).reverse() };
}

/** The numbers of members, comparisons and trials of a population. */
export interface PopulationSize {
  readonly members: number;
  /**
   * The maximum number of children per comparison. A comparison exceeds it only if more members have failed, because
   * every failed member is replaced.
   */
  readonly childrenPerComparison: number;
  /** The number of comparisons. Undefined if the number of epochs is not known. */
  readonly comparisons: number | undefined;
  /** The maximum number of trials, children included. Undefined if it is not known. */
  readonly maxTrials: number | undefined;
}

/**
 * @param last the last epoch of the longest trial; undefined if it is not known. Members are not compared at this epoch
 */
export function populationSize(
  { population, interval, quantile, maxTrials = Number.POSITIVE_INFINITY }: PopulationSettings,
  last: number | undefined,
): PopulationSize {
  const childrenPerComparison = quantileCount(population, quantile);
  const comparisons = last === undefined ? undefined : Math.max(0, Math.ceil(last / interval) - 1);
  const all = comparisons === undefined ? maxTrials : population + comparisons * childrenPerComparison;
  const most = Math.min(all, maxTrials);
  return {
    members: population,
    childrenPerComparison,
    comparisons,
    maxTrials: Number.isFinite(most) ? most : undefined,
  };
}

/** Returns the number of members in a quantile, rounded down. */
export function quantileCount(members: number, quantile: number): number {
  // The product is first rounded to 12 digits: otherwise, 0.29 of 100 members would be 28.999999999999996 members.
  return Math.floor(Number((members * quantile).toPrecision(12)));
}

/**
 * Returns one of the items. The choice depends only on the seed, the child and the purpose.
 * @param child the index of the child among the trials of the sweep
 */
export function chosen<T>(items: readonly T[], seed: number, child: number, purpose: string): T | undefined {
  return items[Math.floor(randomCoordinate(seed, child, `pbt/${purpose}`) * items.length)];
}

/**
 * Returns the parameters of a child. With the probability `resample`, an explored parameter gets a new random value
 * from its distribution. Otherwise, it is perturbed. The child inherits all other parameters.
 * @param child the index of the child among the trials of the sweep
 */
export function explored(parent: Parameters, settings: PopulationSettings, child: number): Parameters {
  const { seed, resample, perturb, explore } = settings;
  const changed: Record<string, ParameterValue> = Object.assign(Object.create(null), parent);
  for (const [name, distribution] of explore) {
    const value = parent[name];
    const isDrawn = randomCoordinate(seed, child, `pbt/resample/${name}`) < resample;
    if (value === undefined || isDrawn) {
      changed[name] = valueAt(distribution, randomCoordinate(seed, child, `pbt/value/${name}`));
      continue;
    }
    const factor = chosen(perturb, seed, child, `factor/${name}`) ?? 1;
    changed[name] = perturbed(value, distribution, factor);
  }
  return changed;
}

/**
 * Returns a perturbed value. A number is multiplied by the factor, and stays within the limits of its distribution. A
 * value from a list is replaced by the next value of the list if the factor is above 1, and by the previous value
 * otherwise. If there is no such value, the value does not change.
 */
export function perturbed(value: ParameterValue, distribution: ExploredDistribution, factor: number): ParameterValue {
  if (distribution.kind === 'categorical') {
    const { values } = distribution;
    const at = values.indexOf(value) + (factor > 1 ? 1 : -1);
    return values[Math.min(values.length - 1, Math.max(0, at))] ?? value;
  }
  if (typeof value !== 'number') return value;
  const { min, max } = distribution;
  if (distribution.kind === 'int_uniform') return clamped(roundedAway(value, factor), min, max);
  const { q } = distribution;
  if (q === undefined) return toDigits(clamped(value * factor, min, max));
  const multiple = roundedAway(value / q, factor);
  const [first, last] = [Math.ceil(toDigits(min / q)), Math.floor(toDigits(max / q))];
  return toDigits((first <= last ? clamped(multiple, first, last) : multiple) * q);
}

function toDigits(value: number): number {
  return Number(value.toPrecision(SIGNIFICANT_DIGITS)) + 0;
}

/**
 * The number of significant digits of a perturbed number. With more digits, 3 times 0.1 would be 0.30000000000000004.
 */
const SIGNIFICANT_DIGITS = 15;

/** Returns the rounded product, which differs from the rounded value by at least 1 unless the factor is 1. */
function roundedAway(value: number, factor: number): number {
  const product = Math.round(value * factor);
  return product === Math.round(value) && factor !== 1 ? product + (factor > 1 ? 1 : -1) : product;
}

function clamped(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
