/**
 * Implements the searcher of `method: optuna`. A separate process runs the sampler of Optuna. The searcher requests a
 * suggestion, and returns `wait` until the history contains the answer.
 *
 * A suggestion depends only on the settings, on its own number and on the study. The study consists of the results of
 * earlier sweeps, and of all earlier suggestions in order, with their stored attributes and outcomes. The process
 * creates the sampler anew for each suggestion, with a seed that depends on the sweep's seed and on the number of the
 * suggestion. After a restart of the process or of the coordinator, the same study therefore gives the same suggestion.
 */
import type { Distribution } from '../distribution.ts';
import { drawnPoint } from '../drawn.ts';
import type { PastSuggestion, SearchHistory, SearchResult, SearchState, Suggestion } from '../searcher.ts';
import type { OptunaDimensions } from './dimensions.ts';

/**
 * If more than this number of consecutive points add no trial, the next points are random until one of them adds a
 * trial. Some samplers suggest the same points again when few untried points of a finite space are left.
 */
const MAX_REPEATED_SUGGESTIONS = 10;

/** The state of the searcher between two suggestions. */
interface OptunaState {
  /** The number of points suggested so far. */
  readonly points: number;
  /** The number of trials when the last point was suggested. */
  readonly trials: number;
  /** The number of consecutive points that added no trial. The last point is not counted. */
  readonly repeated: number;
}

export interface OptunaSearch {
  readonly seed: number;
  readonly space: ReadonlyMap<string, Distribution>;
  readonly dimensions: OptunaDimensions;
}

/** The state before the first suggestion. */
export const INITIAL_OPTUNA_STATE = { points: 0, trials: 0, repeated: 0 } satisfies OptunaState;

/** Returns the next point of a search, or a request to the sampler for that point. */
export function nextOptunaPoint(
  { seed, space, dimensions }: OptunaSearch,
  state: SearchState,
  history: SearchHistory,
): Suggestion {
  const { points, trials: before, repeated: previous } = parsed(state);
  const trials = history.results.length + history.live.length;
  const repeated = points > 0 && trials === before ? previous + 1 : 0;
  const after = { points: points + 1, trials, repeated };
  if (repeated > MAX_REPEATED_SUGGESTIONS) {
    const point = drawnPoint({ method: 'random', seed, space }, points);
    return { kind: 'point', point, state: after, record: { values: dimensions.valuesOf(point), attributes: '' } };
  }
  const { answer, suggestions = [] } = history.sampler ?? {};
  if (answer?.number === points) {
    return { kind: 'point', point: dimensions.pointOf(answer.record.values), state: after, record: answer.record };
  }
  const warm = (history.warm ?? []).map((result) => warmTrial(result, dimensions));
  return { kind: 'wait', request: { number: points, trials: [...warm, ...suggestions] } };
}

function parsed(state: SearchState): OptunaState {
  const { points, trials, repeated } = state as unknown as OptunaState;
  return { points, trials, repeated };
}

/**
 * Maps each result of an earlier sweep to its trial in the study. A result must have the same trial object in every
 * request, because consecutive requests are compared by the identity of these objects (messages.ts).
 */
const warmTrials = new WeakMap<SearchResult, PastSuggestion>();

function warmTrial(result: SearchResult, dimensions: OptunaDimensions): PastSuggestion {
  const known = warmTrials.get(result);
  if (known !== undefined) return known;
  const record = { values: dimensions.valuesOf(result.parameters), attributes: '' };
  const trial: PastSuggestion = { record, outcome: { kind: 'ended', values: [result.value] } };
  warmTrials.set(result, trial);
  return trial;
}
