/** A sweep after parsing: checked, and with every default filled in. */
import type { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { TrainerName } from '../../proto/trainers.ts';
import type { Claim } from '../analysis/claim.ts';
import type { MaxFailed, Resources, RetryBudget } from '../core/model.ts';
import type { Distribution } from '../search/distribution.ts';
import type { Axis } from './axes.ts';
import type { Condition, ExcludeRule, WhenRule } from './rules.ts';

export interface SweepSpec {
  readonly name: string;
  readonly description: string;
  readonly trainer: TrainerName;
  /** The command line of trainer `command`, with macros (proto/command.ts); empty for the other trainers. */
  readonly command: readonly string[];
  /** How to run the program and read its reports; trainer `command` only. */
  readonly program: ProgramSpec | undefined;
  /** Whether the file is written for Weights & Biases, which changes defaults of `program`. */
  readonly isWandbFile: boolean;
  /** The metric that ranks the trials. */
  readonly metric: Metric;
  /** In the file's order; single values are axes of size 1. Empty for a search. */
  readonly axes: readonly Axis[];
  /** Groups of axes of one size that advance together. A name is in one group at most. */
  readonly zip: readonly (readonly string[])[];
  /** Applied in order, before `when`. */
  readonly exclude: readonly ExcludeRule[];
  /** Applied in order; conditions refer to the point before any `when`. */
  readonly when: readonly WhenRule[];
  /** How points are chosen and what from. Undefined: all points of the grid of the axes. */
  readonly search: Search | undefined;
  /** The maximum number of trials. Undefined: no limit. */
  readonly runCap: number | undefined;
  /** Stops trials that fall behind. Undefined: never. */
  readonly earlyTerminate: EarlyTerminate | undefined;
  /** Keys of the file that have no meaning in trawl, such as `project` and `parameters.lr.distribution`. */
  readonly ignored: readonly string[];
  /** How the file is read where that can surprise its author; one sentence each. */
  readonly notes: readonly string[];
  /** Each config is run once per seed. Distinct; at least one. */
  readonly seeds: readonly number[];
  readonly order: Order;
  /** The maximum number of trials at the same time. Undefined: the number of slots. */
  readonly concurrency: number | undefined;
  /** Trials of sweeps with a higher priority go first. */
  readonly priority: number;
  /** The share of the slots relative to other sweeps of its priority. */
  readonly weight: number;
  /** The demands on the slot of a trial. */
  readonly resources: Resources;
  readonly retry: RetryBudget;
  /** The longest duration of an attempt. Undefined: no limit. */
  readonly timeoutMs: number | undefined;
  /** The sweep is paused when more trials than this have failed. Undefined: never. */
  readonly maxFailed: MaxFailed | undefined;
  /** Epochs between two checkpoints; 0: no checkpoints. */
  readonly checkpointEvery: number;
  /** Epochs between two reconstruction images; 0: no images. */
  readonly reconstructEvery: number;
  /** In the file's order; names are distinct. */
  readonly hypotheses: readonly Hypothesis[];
}

export interface Hypothesis {
  readonly name: string;
  /** A description for people; may be empty. */
  readonly about: string;
  /** The claim as written in the file. */
  readonly text: string;
  readonly claim: Claim;
  /** Restricts the trials by their parameters after `when`. Empty: all trials. */
  readonly where: readonly Condition[];
}

export interface Search {
  readonly method: 'random' | 'tpe' | 'sobol';
  /** As the sweep's. */
  readonly runCap: number | undefined;
  /** By parameter, in the file's order. */
  readonly space: ReadonlyMap<string, Distribution>;
}

/** Stops trials whose metric falls behind that of others at the same step. */
export type EarlyTerminate =
  /** W&B's hyperband, and asynchronous successive halving: the steps of comparison grow by a factor of eta. */
  | {
      readonly type: 'hyperband' | 'asha';
      /** The first step of comparison, or the last step of a trial and the number of comparisons. */
      readonly steps: { readonly minIter: number } | { readonly maxIter: number; readonly brackets: number };
      readonly eta: number;
      readonly strict: boolean;
    }
  /** A trial is compared with the median of the others, from a step on. */
  | { readonly type: 'median'; readonly minIter: number };

export interface Metric {
  /** Empty: the file names none. */
  readonly name: string;
  readonly goal: 'minimize' | 'maximize';
  /** The step that a trial's value is taken from. */
  readonly at: 'last' | 'best';
  /** The sweep ends when one trial reaches it. Undefined: never. */
  readonly target: number | undefined;
}

export type Order = { readonly kind: 'grid' } | { readonly kind: 'shuffled'; readonly seed: number };
