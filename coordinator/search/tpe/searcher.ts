/** Implements the searcher of `method: tpe`. */
import { mean } from 'd3-array';
import type { Losses } from '../../../lib/domain/hypervolume.ts';
import { bestPlaces, lossesOf } from '../../../lib/domain/pareto.ts';
import type { GoalName } from '../../../proto/names.ts';
import type { Parameters, ParameterValue } from '../../../proto/trainers.ts';
import { drawnPoint } from '../drawn.ts';
import type { SearchHistory, SearchResult, SearchState, Suggestion } from '../searcher.ts';
import { MAX_BEST, nextPoint, type Observation, type TpeSearch } from './tpe.ts';

/**
 * If more than this number of consecutive points add no trial, the next points are random until one of them adds a
 * trial. If few points of the space are untried, it is likely that all of the best candidates have already been tried.
 */
const MAX_REPEATED_SUGGESTIONS = 10;

/** The state of the searcher between two suggestions. */
interface TpeState {
  /** The number of points suggested so far. */
  readonly points: number;
  /** The number of trials when the last point was suggested. */
  readonly trials: number;
  /** The number of consecutive points that added no trial. The last point is not counted. */
  readonly repeated: number;
}

/** The state before the first suggestion. */
export const INITIAL_TPE_STATE = { points: 0, trials: 0, repeated: 0 } satisfies TpeState;

/**
 * Returns the next point of a search.
 * @param replicates the number of trials per config. The value of a config is the mean over its replicates.
 */
export function nextTpePoint(
  search: Omit<TpeSearch, 'goal'>,
  replicates: number,
  state: SearchState,
  history: SearchHistory,
): Suggestion {
  const { points, trials: before, repeated: previous } = parsed(state);
  const trials = history.results.length + history.live.length;
  const repeated = points > 0 && trials === before ? previous + 1 : 0;
  const { ended, running } = replicates > 1 ? configsOf(history) : observationsOf(history);
  const { goal, observations } = ranked(history, ended);
  const point =
    repeated > MAX_REPEATED_SUGGESTIONS
      ? drawnPoint({ method: 'random', seed: search.seed, space: search.space }, points)
      : nextPoint({ ...search, goal }, points, { ended: observations, running });
  return { kind: 'point', point, state: { points: points + 1, trials, repeated } };
}

function parsed(state: SearchState): TpeState {
  const { points, trials, repeated } = state as unknown as TpeState;
  return { points, trials, repeated };
}

/** A point with an ended trial, and the values of its objectives. */
interface EndedPoint {
  readonly point: Parameters;
  /** One value per objective; a single value in a sweep with one objective. */
  readonly values: readonly (number | undefined)[];
}

interface Observed {
  readonly ended: readonly EndedPoint[];
  readonly running: readonly Parameters[];
}

/**
 * Reduces each observation to a single value. With several objectives, the value is the place of the observation in a
 * ranking. The ranking is by nondominated front, and within a front by hypervolume contribution (Y. Ozaki et al.,
 * Multiobjective Tree-Structured Parzen Estimator, Journal of Artificial Intelligence Research 73, 2022). The estimator
 * uses only the order of the values.
 */
function ranked(
  { goal, goals }: SearchHistory,
  ended: readonly EndedPoint[],
): { readonly goal: GoalName; readonly observations: readonly Observation[] } {
  if (goals === undefined) return { goal, observations: ended.map(({ point, values: [value] }) => ({ point, value })) };
  const ranks = new Map<number, number>();
  const losses: Losses[] = [];
  for (const [index, { values }] of ended.entries()) {
    const own = lossesOf(values, goals);
    if (own === undefined) continue;
    ranks.set(index, losses.length);
    losses.push(own);
  }
  const places = bestPlaces(losses, MAX_BEST);
  const placeOf = (index: number) => {
    const rank = ranks.get(index);
    // The estimator needs the order of only the best MAX_BEST observations, so all others have the same place.
    return rank === undefined ? undefined : (places.get(rank) ?? Number.POSITIVE_INFINITY);
  };
  return { goal: 'minimize', observations: ended.map(({ point }, index) => ({ point, value: placeOf(index) })) };
}

function observationsOf({ results, live }: SearchHistory): Observed {
  return { ended: results.map((result) => ({ point: result.parameters, values: valuesOf(result) })), running: live };
}

function valuesOf({ value, values }: SearchResult): readonly (number | undefined)[] {
  return values ?? [value];
}

/**
 * Returns one ended point for each config with an ended replicate, in the order in which the first replicate of each
 * config ended.
 */
function configsOf({ results, live }: SearchHistory): Observed {
  const configs = new Map<string, { readonly point: Parameters; readonly replicates: SearchResult[] }>();
  for (const result of results) {
    const key = keyOf(result.parameters);
    const config = configs.get(key) ?? { point: result.parameters, replicates: [] };
    config.replicates.push(result);
    configs.set(key, config);
  }
  const running = new Map(live.map((parameters) => [keyOf(parameters), parameters]));
  for (const key of configs.keys()) running.delete(key);
  const ended = [...configs.values()].map(({ point, replicates }) => {
    const [first = []] = replicates.map(valuesOf);
    return { point, values: first.map((_, objective) => mean(replicates, (result) => valuesOf(result)[objective])) };
  });
  return { ended, running: [...running.values()] };
}

function keyOf(parameters: Parameters): string {
  return JSON.stringify(Object.entries(parameters).sort(byName));
}

function byName([a]: [string, ParameterValue], [b]: [string, ParameterValue]): number {
  return a < b ? -1 : 1;
}
