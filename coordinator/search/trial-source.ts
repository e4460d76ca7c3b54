/**
 * Defines the source of a sweep's trials. The source applies the rules of the sweep to the points of a searcher. The
 * trials are created one at a time, while the sweep runs (coordinator/core/create-trials.ts).
 */
import type { Parameters } from '../../proto/trainers.ts';
import type { SamplerRequest, SearchState, SuggestionRecord } from './searcher.ts';

/** A trial that has not been created yet. */
export interface PlannedTrial {
  /** The position of the trial in the sweep's order, from 0. */
  readonly index: number;
  /** The parameters after `when` was applied, with the trainer's defaults added. */
  readonly parameters: Parameters;
  readonly seed: number;
  readonly trialId: string;
  /** Equal for all replicates of a config. */
  readonly configId: string;
}

/** The state of a trial source after a step. The state is stored together with the trial that the step yields. */
export interface SourceState {
  readonly search: SearchState;
  /** The number of trials yielded so far. */
  readonly created: number;
  /** The number of points so far, including dropped points. */
  readonly points: number;
  /** The number of points that each `exclude` rule has dropped so far. */
  readonly excluded: readonly number[];
  /** The number of points so far that, after `when` was applied, equal an earlier point. */
  readonly duplicates: number;
  /** The number of points since the last new config. */
  readonly repeated: number;
  /**
   * The number of created trials whose points the current version of the sweep does not contain. These trials do not
   * count against run_cap. Default: 0.
   */
  readonly outside?: number | undefined;
  /**
   * Whether the source can yield points for which an earlier version of the sweep has created trials. Default: false.
   */
  readonly merges?: boolean | undefined;
  /** The config whose replicates are being created, and the number of its replicates created so far. */
  readonly config?: { readonly parameters: Parameters; readonly replicates: number } | undefined;
}

/** Returns the number of configs created so far. */
export function createdConfigs({ points, excluded, duplicates }: SourceState): number {
  return points - duplicates - excluded.reduce((sum, count) => sum + count, 0);
}

/** A suggestion of a searcher with an external process, as it is stored. */
export interface StoredSuggestion {
  /** The number of the suggestion in its search, from 0. */
  readonly number: number;
  /** The config of the suggestion. Undefined if a rule excludes the point. */
  readonly configId: string | undefined;
  readonly record: SuggestionRecord;
}

export type SourceStep =
  | {
      readonly kind: 'trial';
      readonly trial: PlannedTrial;
      readonly state: SourceState;
      readonly suggestion?: StoredSuggestion | undefined;
    }
  /** The next point was dropped, because a rule excludes the point or because the point equals an earlier point. */
  | { readonly kind: 'dropped'; readonly state: SourceState; readonly suggestion?: StoredSuggestion | undefined }
  /** Before its next point, the searcher needs further results, or the answer of an external process to `request`. */
  | { readonly kind: 'wait'; readonly request?: SamplerRequest }
  /** The source has no further trials. */
  | { readonly kind: 'done' };

export interface TrialSource {
  /**
   * Whether the points depend on results. If so, trials are created as late as possible, so that each point is based on
   * as many results as possible.
   */
  readonly usesResults: boolean;
  /**
   * The reason why the source cannot yield trials, although the sweep may have further trials. The reason is undefined
   * if the source yields trials.
   */
  readonly problem?: string | undefined;
  /** Reads from the store the data that the next steps need. Called before each pass that creates trials. */
  prepare(state: SourceState): Promise<void>;
  /** Whether the last step waits only because `prepare` must be called, or called again. Default: false */
  readonly isUnprepared?: boolean;
  /**
   * Returns the next step. A source that needs data from the store waits until `prepare` has read the data.
   * @param isKnown returns whether the sweep already has a trial with the given id
   */
  next(state: SourceState, isKnown: (trialId: string) => boolean): SourceStep;
}
