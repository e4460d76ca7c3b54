/** A sweep as the rest of the coordinator knows it: checked, with every default filled in. */
import type { TrainerName } from '../../proto/trainers.ts';
import type { Claim } from '../analysis/claim.ts';
import type { Resources } from '../core/model.ts';
import type { Axis } from './axes.ts';
import type { Condition, ExcludeRule, WhenRule } from './rules.ts';

export interface SweepSpec {
  readonly name: string;
  readonly description: string;
  readonly trainer: TrainerName;
  /** What trainer `command` runs, with macros as in proto/command.ts; empty for the others. */
  readonly command: readonly string[];
  /** What ranks the trials. */
  readonly metric: Metric;
  /** In the file's order; single values are axes of size 1. */
  readonly axes: readonly Axis[];
  /** Names of axes of one size that advance together; no name is in two groups. */
  readonly zip: readonly (readonly string[])[];
  /** Tried in order on the point as enumerated, before `when`. */
  readonly exclude: readonly ExcludeRule[];
  /** Applied in order; conditions look at the point as enumerated. */
  readonly when: readonly WhenRule[];
  /** One replicate of every config a seed; distinct, at least one. */
  readonly seeds: readonly number[];
  readonly order: Order;
  /** The most trials at once; undefined: as many as there are slots. */
  readonly concurrency: number | undefined;
  /** Trials of a sweep with more go first. */
  readonly priority: number;
  /** Its part of the slots beside other sweeps of its priority. */
  readonly weight: number;
  /** What a slot must have to run a trial. */
  readonly resources: Resources;
  readonly retry: Retry;
  /** Longest an attempt may run; undefined: no limit. */
  readonly timeoutMs: number | undefined;
  /** The sweep is paused when more trials than this have failed; undefined: never. */
  readonly maxFailed: MaxFailed | undefined;
  /** Epochs from one checkpoint to the next; 0: none are made. */
  readonly checkpointEvery: number;
  /** Epochs from one look at the reconstructions to the next; 0: none are made. */
  readonly reconstructEvery: number;
  /** What the results are asked, in the file's order; names are distinct. */
  readonly hypotheses: readonly Hypothesis[];
}

export interface Hypothesis {
  readonly name: string;
  /** For people; empty when there is nothing to say. */
  readonly about: string;
  /** The claim as it is written. */
  readonly text: string;
  readonly claim: Claim;
  /** The trials that it is about, by their parameters after `when`; empty: all. */
  readonly where: readonly Condition[];
}

export interface Metric {
  readonly name: string;
  readonly goal: 'minimize' | 'maximize';
}

export type Order = { readonly kind: 'grid' } | { readonly kind: 'shuffled'; readonly seed: number };

/** Attempts after the first, by what ended the one before; backoff is the wait before each. */
export interface Retry {
  readonly oom: number;
  readonly crash: number;
  readonly timeout: number;
  readonly backoffMs: number;
}

export type MaxFailed =
  | { readonly kind: 'count'; readonly count: number }
  /** Of all trials of the sweep, 0 to 1. */
  | { readonly kind: 'share'; readonly ratio: number };
