/**
 * Defines the sweep that results from parsing a sweep file. The values of the sweep are valid, and every default is
 * filled in.
 */
import type { Objective } from '../../lib/domain/pareto.ts';
import type { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { TrainerName } from '../../proto/trainers.ts';
import type { HypothesisClaim } from '../analysis/claim.ts';
import type { MaxFailed, Resources, RetryBudget } from '../core/policy.ts';
import type { EarlyTerminate } from '../early-stop/settings.ts';
import type { Distribution } from '../search/distribution.ts';
import type { DrawnSearch } from '../search/drawn.ts';
import type { SamplerSettings } from '../search/optuna/samplers.ts';
import type { Axis } from './axes.ts';
import type { Condition, ExcludeRule, WhenRule } from './points.ts';

/**
 * Returns the names of the parameters that vary before `when` is applied, in the file's order. In a search, these are
 * all parameters whose distribution is not `constant`.
 */
export function sweptParameters({ axes, search }: Pick<SweepSpec, 'axes' | 'search'>): string[] {
  if (search === undefined) return axes.filter(({ size }) => size > 1).map(({ name }) => name);
  return [...search.space].filter(([, { kind }]) => kind !== 'constant').map(([name]) => name);
}

/** The default of run_cap for a search. `defaultRunCap` rounds it down to a multiple of the number of replicates. */
export const DEFAULT_RUN_CAP = 10_000;

/**
 * Returns the maximum number of trials of a search whose file has no run_cap. If possible, this number is a multiple of
 * the number of replicates, so that every config has all its replicates.
 * @param seeds the number of replicates
 */
export function defaultRunCap(seeds: number): number {
  return seeds > DEFAULT_RUN_CAP ? DEFAULT_RUN_CAP : DEFAULT_RUN_CAP - (DEFAULT_RUN_CAP % seeds);
}

/**
 * Returns the maximum number of trials of a sweep, without the children of a population. Infinite for a grid without
 * run_cap.
 */
export function trialLimit({ runCap, search, seeds }: Pick<SweepSpec, 'runCap' | 'search' | 'seeds'>): number {
  if (runCap !== undefined) return runCap;
  return search === undefined ? Number.POSITIVE_INFINITY : defaultRunCap(seeds.length);
}

export interface SweepSpec {
  readonly name: string;
  readonly description: string;
  readonly trainer: TrainerName;
  /**
   * The command line of trainer `command`, with macros (proto/command.ts). Empty for all other trainers.
   */
  readonly command: readonly string[];
  /** How to run the program and read its reports. Used only for the trainer `command`. */
  readonly program: ProgramSpec | undefined;
  /** The code that the agents run. If undefined, programs run in the agents' working folders. */
  readonly code: CodeSpec | undefined;
  /**
   * Whether the file is in the format of Weights & Biases. In this format, some settings of `program` have different
   * defaults.
   */
  readonly isWandbFile: boolean;
  /** The metric that ranks the trials. */
  readonly metric: Metric;
  /** All objectives, if the sweep has several; the first is `metric`. Empty if the sweep has one objective. */
  readonly objectives: readonly Objective[];
  /** The axes in the file's order. Single values are axes of size 1. Empty for a search. */
  readonly axes: readonly Axis[];
  /** Groups of axes of equal size that advance together. A parameter is in at most one group. */
  readonly zip: readonly (readonly string[])[];
  /** The rules that drop points. The rules are applied in order, before `when`. */
  readonly exclude: readonly ExcludeRule[];
  /**
   * The rules that set parameters. The rules are applied in order. The conditions refer to the point before any `when`
   * rule is applied.
   */
  readonly when: readonly WhenRule[];
  /** The method and the space of a search. If undefined, the sweep is a grid. */
  readonly search: Search | undefined;
  /**
   * The maximum number of trials of the sweep. If the number of replicates is fixed, `runCap` is a multiple of that
   * number. If `runCap` is undefined, a grid has no limit, and a search has the limit `defaultRunCap`. For method pbt,
   * `runCap` is the number of members, which does not include their children.
   */
  readonly runCap: number | undefined;
  /**
   * The rule that stops trials early, or that replaces members of a population. If undefined, no trial is stopped
   * early.
   */
  readonly earlyTerminate: EarlyTerminate | undefined;
  /** Keys of the file that have no meaning in trawl, such as `project` and `parameters.lr.distribution`. */
  readonly ignored: readonly string[];
  /** One sentence for each setting that trawl interprets in a way that can surprise the author of the file. */
  readonly notes: readonly string[];
  /**
   * The distinct seeds of the sweep; at least one. Without adaptive replicates, each config is run once per seed. With
   * adaptive replicates, the results decide how many of the seeds a config gets.
   */
  readonly seeds: readonly number[];
  /** The limits on the replicates of a config. Undefined if each config has a fixed number of replicates. */
  readonly adaptiveReplicates: AdaptiveReplicates | undefined;
  readonly order: TrialOrder;
  /**
   * The maximum number of trials that run at the same time. If undefined, this number is limited only by the number of
   * slots.
   */
  readonly concurrency: number | undefined;
  /** The priority of the sweep. Trials of sweeps with a higher priority start first. */
  readonly priority: number;
  /** The sweep's share of the slots relative to other sweeps of its priority. */
  readonly weight: number;
  /** The GPUs, the memory and the agent labels that a trial requires. */
  readonly resources: Resources;
  readonly retry: RetryBudget;
  /** The longest duration of an attempt. If undefined, the duration is not limited. */
  readonly timeoutMs: number | undefined;
  /**
   * The maximum number, or the maximum share, of failed trials. The sweep is paused when more trials have failed. If
   * undefined, there is no limit.
   */
  readonly maxFailed: MaxFailed | undefined;
  /** Whether the trial of a straggler gets a second, speculative attempt on an idle slot of another agent. */
  readonly speculate: boolean;
  /** The number of epochs between two checkpoints; 0 means no checkpoints. */
  readonly checkpointEvery: number;
  /** The number of epochs between two reconstruction images; 0 means no images. */
  readonly reconstructEvery: number;
  /** The hypotheses in the file's order. The names of the hypotheses are distinct. */
  readonly hypotheses: readonly Hypothesis[];
}

/**
 * The limits on the number of replicates of a config, if the results determine this number. The seeds of the replicates
 * are 0, 1, 2, and so on.
 */
export interface AdaptiveReplicates {
  /** The number of replicates of each config before the first look at the results; at least 2. */
  readonly min: number;
  /** The maximum number of replicates of a config. */
  readonly max: number;
}

export interface CodeSpec {
  /** The folder of the code, relative to the sweep file. */
  readonly dir: string;
  /** Patterns in the syntax of .gitignore, relative to `dir`. */
  readonly exclude: readonly string[];
  /** Whether the diff of uncommitted changes is recorded. */
  readonly diff: boolean;
  /** The maximum total size of the files, in bytes. */
  readonly maxBytes: number;
}

export interface Hypothesis {
  readonly name: string;
  /** A description for display. May be empty. */
  readonly about: string;
  /** The claim as it is written in the sweep file. */
  readonly text: string;
  readonly claim: HypothesisClaim;
  /**
   * Conditions that select the trials to which the hypothesis applies. The conditions refer to the parameters after
   * `when` was applied. The list is empty if the hypothesis applies to all trials.
   */
  readonly where: readonly Condition[];
}

/** A search. The points of `random` and `sobol` do not depend on results. */
export type Search = DrawnSearch | TpeSettings | OptunaSettings;

interface TpeSettings {
  readonly method: 'tpe';
  readonly seed: number;
  readonly space: ReadonlyMap<string, Distribution>;
  /** The ids or names of the earlier sweeps whose results the search starts with. */
  readonly warmStart: readonly string[];
}

export interface OptunaSettings extends SamplerSettings {
  readonly method: 'optuna';
  readonly seed: number;
  readonly space: ReadonlyMap<string, Distribution>;
  /** The ids or names of the earlier sweeps whose results the search starts with. */
  readonly warmStart: readonly string[];
}

/** Returns whether the points of a search depend on the results of its trials. */
export function usesResults(search: Search | undefined): search is TpeSettings | OptunaSettings {
  return search?.method === 'tpe' || search?.method === 'optuna';
}

/** Returns the ids or names of the earlier sweeps whose results a search starts with. */
export function earlierSweepsOf(search: Search | undefined): readonly string[] {
  return usesResults(search) ? search.warmStart : [];
}

/** Returns whether the points of a search do not depend on results. */
export function isDrawn(search: Search | undefined): search is DrawnSearch {
  return search !== undefined && !usesResults(search);
}

export interface Metric {
  /** The name of the ranking metric. Empty if the file names no metric and the trainer has no default. */
  readonly name: string;
  readonly goal: 'minimize' | 'maximize';
  /** The rule that selects the step whose value counts as the trial's value. */
  readonly at: 'last' | 'best';
  /** The sweep ends when the ranking metric of a trial reaches this value. If undefined, the sweep has no target. */
  readonly target: number | undefined;
}

export type TrialOrder = { readonly kind: 'grid' } | { readonly kind: 'shuffled'; readonly seed: number };
