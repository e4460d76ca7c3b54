/**
 * Defines searchers. A searcher yields the points of a sweep one at a time. A searcher is a pure function of its state
 * and of the history. The same state and history give the same suggestion, so a suggestion that was lost in a crash is
 * repeated exactly after the restart.
 */
import type { GoalName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import type { Json } from '../../proto/values.ts';

/** The state of a searcher between two suggestions, as JSON. Its form depends on the searcher. */
export type SearchState = Json;

export type Suggestion =
  /** The next point, before `exclude` and `when` are applied, and the state of the searcher after the point. */
  | {
      readonly kind: 'point';
      readonly point: Parameters;
      readonly state: SearchState;
      /** For searchers with an external process: the data about this suggestion that later suggestions need. */
      readonly record?: SuggestionRecord;
    }
  /**
   * Before its next point, the searcher needs further results, or the answer of an external process to `request`. An
   * adapter sends the request, and adds the answer to the history.
   */
  | { readonly kind: 'wait'; readonly request?: SamplerRequest }
  /** The searcher has no further points. */
  | { readonly kind: 'done' };

/** A suggestion of an external process. The record is stored together with the trial. */
export interface SuggestionRecord {
  /** The values that the process has chosen, by parameter. */
  readonly values: Readonly<Record<string, number>>;
  /** The data that the process keeps about the suggestion, as text that only the process interprets. */
  readonly attributes: string;
}

/** The outcome of a suggestion. An ended suggestion without a value has failed. */
export type SuggestionOutcome =
  | { readonly kind: 'running' }
  /** One value per objective; a single value in a sweep with one objective. */
  | { readonly kind: 'ended'; readonly values: readonly (number | undefined)[] };

export interface PastSuggestion {
  readonly record: SuggestionRecord;
  readonly outcome: SuggestionOutcome;
}

/** A request to an external process for the next suggestion. */
export interface SamplerRequest {
  /** The number of the suggestion in its search, from 0. */
  readonly number: number;
  /** The results of earlier sweeps, and then all earlier suggestions in order. */
  readonly trials: readonly PastSuggestion[];
}

/** The answer to the request with the same number. */
export interface SamplerAnswer {
  readonly number: number;
  readonly record: SuggestionRecord;
}

/** The part of a history that only searchers with an external process need. */
interface SamplerHistory {
  /** All suggestions of the search so far, in order, including suggestions that added no trial. */
  readonly suggestions: readonly PastSuggestion[];
  /**
   * The newest answer of the sampler. Undefined if the sampler has not answered since the trial source of the sweep was
   * opened. A trial source is opened, for example, when the coordinator starts.
   */
  readonly answer: SamplerAnswer | undefined;
}

/** A trial that has ended, with or without a result. */
export interface SearchResult {
  /** The parameters after `when` was applied, with the trainer's defaults added. */
  readonly parameters: Parameters;
  /** The value of the ranking metric in the trial. Undefined if the trial has no value. */
  readonly value: number | undefined;
  /** The values of all objectives, if the sweep has several. */
  readonly values?: readonly (number | undefined)[];
}

/** The trials that a sweep has created so far, and the results of earlier sweeps. */
export interface SearchHistory {
  readonly goal: GoalName;
  /** The goals of all objectives, if the sweep has several. Undefined if the sweep has one objective. */
  readonly goals?: readonly GoalName[] | undefined;
  /**
   * Results of earlier sweeps (warm-start.ts), then the trials that have ended, in the order in which the store
   * committed their ends.
   */
  readonly results: readonly SearchResult[];
  /** The results of earlier sweeps. They are also the first elements of `results`. Default: none. */
  readonly warm?: readonly SearchResult[];
  /** The parameters of the trials that have not ended, in order of index. */
  readonly live: readonly Parameters[];
  /** Defined for searchers with an external process. */
  readonly sampler?: SamplerHistory | undefined;
}
