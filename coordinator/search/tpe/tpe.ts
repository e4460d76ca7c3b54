/**
 * Searches with a tree-structured Parzen estimator (J. Bergstra et al., Algorithms for Hyper-Parameter Optimization,
 * NeurIPS 2011). One density is estimated from the best observations, and a second density from the other observations.
 * Candidates are drawn from the density of the best observations. The next point is the candidate with the largest
 * ratio of the two densities.
 *
 * The densities are multivariate, as in S. Falkner et al., BOHB (ICML 2018). The design choices are among those that S.
 * Watanabe compares (Tree-Structured Parzen Estimator, arXiv:2304.11127, 2023). The kernels of the best observations
 * are narrower than in that paper, and the prior has less weight; bench/search.ts measures the effect. Running trials
 * are counted with the other observations, so that parallel trials get different points (a constant liar: D.
 * Ginsbourger et al., 2010).
 */
import { bisector, sort } from 'd3-array';
import type { ParameterValue } from '../../../proto/trainers.ts';
import type { Distribution } from '../distribution.ts';
import { drawnPoint } from '../drawn.ts';
import { randomCoordinate } from '../random.ts';
import { type EstimatorOptions, ParzenEstimator } from './parzen.ts';
import {
  type Coordinates,
  coordinatesOf,
  type IsActive,
  type Point,
  pointAtCoordinates,
  searchDimensions,
} from './space.ts';

export interface TpeSearch {
  /** Searches with different seeds have different points. */
  readonly seed: number;
  /** The distribution of each parameter, in the order of the sweep file. */
  readonly space: ReadonlyMap<string, Distribution>;
  readonly isActive: IsActive;
  readonly goal: 'minimize' | 'maximize';
}

/** The observation of a trial that has ended. */
export interface Observation {
  readonly point: Point;
  /** Undefined if the trial failed. A failed trial counts as worse than every other trial. */
  readonly value: number | undefined;
}

interface Candidate {
  readonly point: Record<string, ParameterValue>;
  readonly coordinates: Coordinates;
}

export interface Observations {
  /** The observations are in the order in which the store committed the ends of the trials. */
  readonly ended: readonly Observation[];
  /** The points of trials that have not ended. */
  readonly running: readonly Point[];
}

/**
 * Points are random until this many trials have ended and one of them has a result. Later points depend on results. In
 * a search with replicates, configs are counted instead of trials.
 */
export const STARTUP_TRIALS = 10;

const CANDIDATES = 24;

/** The share of the observations that count as the best, and the maximum number of best observations. */
const BEST_SHARE = 0.1;
export const MAX_BEST = 25;

/**
 * The maximum number of other observations that are used, in addition to the best. If there are more, the latest are
 * used. This limit bounds the time of a suggestion.
 */
const MAX_OTHERS = 500;

const BEST: EstimatorOptions = { minBandwidth: 0.4, priorWeight: 0.2 };
const OTHERS: EstimatorOptions = { minBandwidth: 1, priorWeight: 0.2 };

/**
 * Returns the next point. The point depends only on the arguments. Of the observed values, only their order matters.
 * @param index the number of the point, from 0
 */
export function nextPoint(
  search: TpeSearch,
  index: number,
  observations: Observations,
): Record<string, ParameterValue> {
  const { seed, space, isActive } = search;
  const { ended, running } = observations;
  const successes = ended.filter(({ value }) => isResult(value)).length;
  if (ended.length < STARTUP_TRIALS || successes === 0) {
    return drawnPoint({ method: 'random', seed, space }, index);
  }

  const dimensions = searchDimensions(space);
  const positions = new Map(dimensions.map(({ name }, at) => [name, at]));
  const pointOf = (drawn: readonly number[]) => pointAtCoordinates(space, (name) => drawn[positions.get(name) ?? -1]);
  const [best, others] = divided(search, ended, Math.min(successes, MAX_BEST, Math.ceil(BEST_SHARE * ended.length)));
  const coordinates = (point: Point) => coordinatesOf(dimensions, point, isActive);
  const promising = new ParzenEstimator(dimensions, best.map(coordinates), BEST);
  const ordinary = new ParzenEstimator(dimensions, [...others, ...running].map(coordinates), OTHERS);

  let draws = 0;
  const draw = () => randomCoordinate(seed, index, `candidates/${draws++}`);
  const candidates = Array.from({ length: CANDIDATES }, (): Candidate => {
    const point = pointOf(promising.draw(draw));
    return { point, coordinates: coordinates(point) };
  });
  const names = [...positions.keys()];
  const ranked = byRatio(candidates, promising, ordinary);
  return (ranked.find(({ point }) => !isTried(search, names, point, observations)) ?? ranked[0])?.point ?? {};
}

function isResult(value: number | undefined): value is number {
  return value !== undefined && !Number.isNaN(value);
}

/** Returns the points of the best observations, and the points of the latest other observations. */
function divided(
  { goal }: TpeSearch,
  ended: readonly Observation[],
  count: number,
): [best: readonly Point[], others: readonly Point[]] {
  const sign = goal === 'minimize' ? 1 : -1;
  const best: { readonly at: number; readonly loss: number }[] = [];
  for (const [at, { value }] of ended.entries()) {
    if (!isResult(value)) continue;
    const loss = sign * value;
    if (best.length === count && loss >= (best[count - 1]?.loss ?? loss)) continue;
    best.splice(byLoss.right(best, loss), 0, { at, loss });
    if (best.length > count) best.pop();
  }
  const chosen = new Set(best.map(({ at }) => at));
  const others: Point[] = [];
  for (let at = ended.length - 1; at >= 0 && others.length < MAX_OTHERS; at--) {
    const point = ended[at]?.point;
    if (point !== undefined && !chosen.has(at)) others.push(point);
  }
  return [best.map(({ at }) => ended[at]?.point ?? {}), others.reverse()];
}

const byLoss = bisector(({ loss }: { readonly loss: number }) => loss);

/** Returns the candidates in descending order of the ratio of the densities. */
function byRatio(
  candidates: readonly Candidate[],
  promising: ParzenEstimator,
  ordinary: ParzenEstimator,
): readonly Candidate[] {
  const coordinates = candidates.map((candidate) => candidate.coordinates);
  const [above, below] = [promising.logDensities(coordinates), ordinary.logDensities(coordinates)];
  const ratios = candidates.map((_, at) => (above[at] ?? 0) - (below[at] ?? 0));
  return sort(candidates.keys(), (at) => -(ratios[at] ?? 0)).flatMap((at) => candidates[at] ?? []);
}

/** Returns whether a trial already has the same values as the point in all parameters that have an effect. */
function isTried({ isActive }: TpeSearch, names: readonly string[], point: Point, { ended, running }: Observations) {
  const active = names.filter((name) => isActive(point, name));
  const isSame = (other: Point) => active.every((name) => other[name] === point[name]);
  return running.some(isSame) || ended.some((observation) => isSame(observation.point));
}
