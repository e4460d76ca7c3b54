/** Implements the searcher of `method: tpe`. */
import { mean } from 'd3-array';
import type { Parameters, ParameterValue } from '../../../proto/trainers.ts';
import type { Json } from '../../../proto/values.ts';
import { drawnPoint } from '../drawn-points.ts';
import type { Searcher, SearchHistory } from '../searcher.ts';
import { nextPoint, type Observation, type TpeSearch } from './tpe.ts';

/**
 * The number of consecutive points without a new trial after which points are random, until a point adds a trial. In a
 * space with few new points, the best candidates have all been tried.
 */
const MAX_REPEATED_SUGGESTIONS = 10;

/** The state of the searcher between two suggestions. */
interface TpeState {
  /** The number of points suggested so far. */
  readonly points: number;
  /** The number of trials at the last suggestion. */
  readonly trials: number;
  /** The number of consecutive points that added no trial, up to the last suggestion. */
  readonly repeated: number;
}

/** @param replicates the number of trials per config. The value of a config is the mean over its replicates. */
export function tpeSearcher(search: Omit<TpeSearch, 'goal'>, replicates: number): Searcher {
  const initial: TpeState = { points: 0, trials: 0, repeated: 0 };
  return {
    initialState: { ...initial },
    usesResults: true,
    next(state, history) {
      const { points, trials: before, repeated: previous } = parsed(state);
      const trials = history.results.length + history.live.length;
      const repeated = points > 0 && trials === before ? previous + 1 : 0;
      const { ended, running } = replicates > 1 ? configsOf(history) : observationsOf(history);
      const point =
        repeated > MAX_REPEATED_SUGGESTIONS
          ? drawnPoint({ method: 'random', seed: search.seed, space: search.space }, points)
          : nextPoint({ ...search, goal: history.goal }, points, { ended, running });
      return { kind: 'point', point, state: { points: points + 1, trials, repeated } };
    },
  };
}

function parsed(state: Json): TpeState {
  const { points, trials, repeated } = state as unknown as TpeState;
  return { points, trials, repeated };
}

interface Observed {
  readonly ended: readonly Observation[];
  readonly running: readonly Parameters[];
}

function observationsOf({ results, live }: SearchHistory): Observed {
  return { ended: results.map(({ parameters, value }) => ({ point: parameters, value })), running: live };
}

/**
 * Returns one observation for each config with an ended replicate, in the order in which the first replicates ended.
 */
function configsOf({ results, live }: SearchHistory): Observed {
  const configs = new Map<string, { readonly point: Parameters; readonly values: number[] }>();
  for (const { parameters, value } of results) {
    const key = keyOf(parameters);
    const config = configs.get(key) ?? { point: parameters, values: [] };
    if (value !== undefined) config.values.push(value);
    configs.set(key, config);
  }
  const running = new Map(live.map((parameters) => [keyOf(parameters), parameters]));
  for (const key of configs.keys()) running.delete(key);
  const ended = [...configs.values()].map(({ point, values }) => ({ point, value: mean(values) }));
  return { ended, running: [...running.values()] };
}

function keyOf(parameters: Parameters): string {
  return JSON.stringify(Object.entries(parameters).sort(byName));
}

function byName([a]: [string, ParameterValue], [b]: [string, ParameterValue]): number {
  return a < b ? -1 : 1;
}
