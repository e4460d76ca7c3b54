/**
 * Defines searchers. A searcher yields the points of a sweep one at a time. A searcher is a pure function of its state
 * and of the history. The same state and history give the same suggestion, so a suggestion that was lost in a crash is
 * repeated exactly after the restart.
 */
import type { GoalName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import type { Json } from '../../proto/values.ts';

/** The state of a searcher between two suggestions, as JSON. Only the searcher itself interprets the state. */
export type SearchState = Json;

export type Suggestion =
  /** The next point, before `exclude` and `when` are applied, and the state after the point. */
  | { readonly kind: 'point'; readonly point: Parameters; readonly state: SearchState }
  /** The searcher needs further results before its next point. */
  | { readonly kind: 'wait' }
  /** The searcher has no further points. */
  | { readonly kind: 'done' };

/** A trial that has ended, with or without a result. */
export interface SearchResult {
  /** The parameters after `when`, with the trainer's defaults added. */
  readonly parameters: Parameters;
  /** The value of the ranking metric in the trial. Undefined if the trial has no value. */
  readonly value: number | undefined;
  /** The values of all objectives, if the sweep has several. */
  readonly values?: readonly (number | undefined)[];
}

/** The trials that a sweep has created so far. */
export interface SearchHistory {
  readonly goal: GoalName;
  /** The goals of all objectives, if the sweep has several. Undefined: one objective. */
  readonly goals?: readonly GoalName[] | undefined;
  /**
   * Results of earlier sweeps (warm-start.ts), then the trials that have ended, in the order in which the store committed
   * their ends.
   */
  readonly results: readonly SearchResult[];
  /** The parameters of the trials that have not ended, in order of index. */
  readonly live: readonly Parameters[];
}
