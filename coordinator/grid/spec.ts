/** Defines a sweep after parsing. The values of the sweep are valid, and every default is filled in. */
import type { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { TrainerName } from '../../proto/trainers.ts';
import type { HypothesisClaim } from '../analysis/claim.ts';
import type { MaxFailed, Resources, RetryBudget } from '../core/policy.ts';
import type { EarlyTerminate } from '../early-stop/settings.ts';
import type { Distribution } from '../search/distribution.ts';
import type { Drawing } from '../search/drawn-points.ts';
import type { Axis } from './axes.ts';
import type { Condition, ExcludeRule, WhenRule } from './points.ts';

/** Returns the names of the parameters with more than one value before `when`, in the file's order. */
export function sweptParameters({ axes, search }: Pick<SweepSpec, 'axes' | 'search'>): string[] {
  if (search === undefined) return axes.filter(({ size }) => size > 1).map(({ name }) => name);
  return [...search.space].filter(([, { kind }]) => kind !== 'constant').map(([name]) => name);
}

/** The maximum number of trials of a search whose file has no run_cap. */
export const DEFAULT_RUN_CAP = 10_000;

export interface SweepSpec {
  readonly name: string;
  readonly description: string;
  readonly trainer: TrainerName;
  /** The command line of trainer `command`, with macros (proto/command.ts). Empty for the other trainers. */
  readonly command: readonly string[];
  /** How to run the program and read its reports. Only for trainer `command`. */
  readonly program: ProgramSpec | undefined;
  /** The code that the agents run. Undefined if programs run in the agents' working folders. */
  readonly code: CodeSpec | undefined;
  /** Whether the file is written for Weights & Biases, which changes defaults of `program`. */
  readonly isWandbFile: boolean;
  /** The metric that ranks the trials. */
  readonly metric: Metric;
  /** The axes in the file's order. Single values are axes of size 1. Empty for a search. */
  readonly axes: readonly Axis[];
  /** Groups of axes of one size that advance together. A name is in one group at most. */
  readonly zip: readonly (readonly string[])[];
  /** The rules that drop points. The rules are applied in order, before `when`. */
  readonly exclude: readonly ExcludeRule[];
  /**
   * The rules that set parameters. The rules are applied in order. The conditions refer to the point before any `when`.
   */
  readonly when: readonly WhenRule[];
  /** The method and the space of a search. Undefined means all points of the grid of the axes. */
  readonly search: Search | undefined;
  /** The maximum number of trials. Undefined means no limit for a grid, and DEFAULT_RUN_CAP for a search. */
  readonly runCap: number | undefined;
  /** The rule that stops trials early. Undefined means none. */
  readonly earlyTerminate: EarlyTerminate | undefined;
  /** Keys of the file that have no meaning in trawl, such as `project` and `parameters.lr.distribution`. */
  readonly ignored: readonly string[];
  /** One sentence for each setting that trawl interprets in a way that can surprise the author of the file. */
  readonly notes: readonly string[];
  /** The distinct seeds, at least one. Each config is run once per seed. */
  readonly seeds: readonly number[];
  readonly order: TrialOrder;
  /** The maximum number of trials at the same time. Undefined means no limit except the number of slots. */
  readonly concurrency: number | undefined;
  /** Trials of sweeps with a higher priority go first. */
  readonly priority: number;
  /** The share of the slots relative to other sweeps of its priority. */
  readonly weight: number;
  /** The demands on the slot of a trial. */
  readonly resources: Resources;
  readonly retry: RetryBudget;
  /** The longest duration of an attempt. Undefined means no limit. */
  readonly timeoutMs: number | undefined;
  /** The sweep is paused when more trials than this have failed. Undefined means no limit. */
  readonly maxFailed: MaxFailed | undefined;
  /** Whether a straggler is run a second time on an idle slot of another agent. */
  readonly speculate: boolean;
  /** Epochs between two checkpoints. 0 means no checkpoints. */
  readonly checkpointEvery: number;
  /** Epochs between two reconstruction images. 0 means no images. */
  readonly reconstructEvery: number;
  /** The hypotheses in the file's order. The names of the hypotheses are distinct. */
  readonly hypotheses: readonly Hypothesis[];
}

export interface CodeSpec {
  /** Relative to the sweep file. */
  readonly dir: string;
  /** Patterns in the syntax of .gitignore, relative to `dir`. */
  readonly exclude: readonly string[];
  /** Whether the diff of uncommitted changes is recorded. */
  readonly diff: boolean;
  /** The limit on the files, in bytes. */
  readonly maxBytes: number;
}

export interface Hypothesis {
  readonly name: string;
  /** A description for display. May be empty. */
  readonly about: string;
  /** The claim as written in the file. */
  readonly text: string;
  readonly claim: HypothesisClaim;
  /** Conditions on the parameters after `when` that restrict the trials. Empty means all trials. */
  readonly where: readonly Condition[];
}

/** A search. The points of `random` and `sobol` do not depend on results. */
export type Search = Drawing | TpeSettings;

interface TpeSettings {
  readonly method: 'tpe';
  readonly seed: number;
  readonly space: ReadonlyMap<string, Distribution>;
  /** The ids or names of the earlier sweeps with whose results the search starts. */
  readonly warmStart: readonly string[];
}

/** Returns whether the points of a search do not depend on results. */
export function isDrawn(search: Search | undefined): search is Drawing {
  return search !== undefined && search.method !== 'tpe';
}

export interface Metric {
  /** The name of the metric. Empty if the file names none. */
  readonly name: string;
  readonly goal: 'minimize' | 'maximize';
  /** The step whose value counts as the trial's value. */
  readonly at: 'last' | 'best';
  /** The sweep ends when one trial reaches this value. Undefined means no target. */
  readonly target: number | undefined;
}

export type TrialOrder = { readonly kind: 'grid' } | { readonly kind: 'shuffled'; readonly seed: number };
