/**
 * Defines the source of a sweep's trials: a searcher, with the rules of the sweep applied to its points. The trials are
 * created one at a time, while the sweep runs (coordinator/core/create-trials.ts).
 */
import type { Parameters } from '../../proto/trainers.ts';
import type { SearchState } from './searcher.ts';

/** A trial that does not exist yet. */
export interface PlannedTrial {
  /** Position in the sweep's order, from 0. */
  readonly index: number;
  /** The parameters after `when`, completed with the trainer's defaults. */
  readonly parameters: Parameters;
  readonly seed: number;
  readonly trialId: string;
  /** Equal for all replicates of a config. */
  readonly configId: string;
}

/** The state of a source after a step. It is stored with the trial that the step yields. */
export interface SourceState {
  readonly search: SearchState;
  /** Trials so far. */
  readonly created: number;
  /** Points so far, dropped points included. */
  readonly points: number;
  /** The number of points that each exclude rule has dropped so far. */
  readonly excluded: readonly number[];
  /** Points so far that are equal to an earlier point after `when`. */
  readonly duplicates: number;
  /** Points since the last new config. */
  readonly repeated: number;
  /** Trials so far that the current version of the sweep lacks. These trials do not count against run_cap. Default: 0. */
  readonly outside?: number | undefined;
  /** Whether an earlier version of the sweep created trials that the search can meet again. Default: false. */
  readonly merges?: boolean | undefined;
  /** The config whose replicates are being created, and the number of its replicates so far. */
  readonly config?: { readonly parameters: Parameters; readonly replicates: number } | undefined;
}

/** Returns the number of configs so far. */
export function configsOf({ points, excluded, duplicates }: SourceState): number {
  return points - duplicates - excluded.reduce((sum, count) => sum + count, 0);
}

export type SourceStep =
  | { readonly kind: 'trial'; readonly trial: PlannedTrial; readonly state: SourceState }
  /** The next point was dropped: a rule excludes it, or it is equal to an earlier point. */
  | { readonly kind: 'dropped'; readonly state: SourceState }
  /** The searcher needs further results. */
  | { readonly kind: 'wait' }
  /** There are no further trials. */
  | { readonly kind: 'done' };

export interface TrialSource {
  /** See `Searcher.usesResults`. */
  readonly usesResults: boolean;
  /**
   * The reason if the source cannot yield trials, although the sweep can have further trials. Undefined if the source
   * yields trials.
   */
  readonly problem?: string | undefined;
  /** @param isKnown whether a trial of the sweep with this id exists */
  next(state: SourceState, isKnown: (trialId: string) => boolean): SourceStep;
}
