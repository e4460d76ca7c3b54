import type { RankingRule } from '../../lib/domain/metric-values.ts';
import type { Objective } from '../../lib/domain/pareto.ts';
import type { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Labels } from '../../proto/limits.ts';
import type { EarlyTerminate } from '../early-stop/settings.ts';

/** The requirements that a slot must meet to run a sweep's trials. */
export interface Demand {
  /** The trainer. proto/trainers.ts lists the names of all trainers. */
  readonly trainer: string;
  readonly resources: Resources;
}

export interface Resources {
  /**
   * The minimum number of GPUs of the slot. False means that the slot must have no GPU. If undefined, slots with and
   * without GPUs are accepted.
   */
  readonly gpu?: number | false;
  /** The memory that a trial needs on each GPU, in bytes. */
  readonly vramBytes?: number;
  /** The labels that the agent must have, with their values. */
  readonly labels: Labels;
}

/** The settings of a sweep file that affect how its trials are run. */
export interface SweepPolicy extends Demand {
  /**
   * The maximum number of attempts of the sweep that are offered or running at the same time. If undefined, the number
   * of concurrent attempts is not limited.
   */
  readonly concurrency: number | undefined;
  readonly retry: RetryBudget;
  /** The longest permitted duration of an attempt. If undefined, the duration is not limited. */
  readonly timeoutMs: number | undefined;
  /**
   * The maximum number of failed trials. The sweep is paused when more trials have failed. If undefined, the number of
   * failed trials is not limited.
   */
  readonly maxFailed: MaxFailed | undefined;
  /** The number of epochs between two checkpoints; 0 means no checkpoints. */
  readonly checkpointEvery: number;
  /** The number of epochs between two reconstruction images; 0 means no images. */
  readonly reconstructEvery: number;
  /** The command line of trainer `command`; empty for the other trainers. */
  readonly command: readonly string[];
  /** The sweep's share of the slots, relative to the other sweeps with the same priority. A positive number. */
  readonly weight: number;
  /** The metric that ranks the trials, and the rule that selects the step whose value counts. */
  readonly ranking: RankingRule;
  /**
   * All objectives, if the sweep has several; the first is the metric of `ranking`. Undefined if the sweep has one
   * objective.
   */
  readonly objectives?: readonly Objective[] | undefined;
  /** Whether the planned number of trials is only an upper bound. Absent means false. */
  readonly plannedAtMost?: true | undefined;
  /** The sweep ends when a trial's ranking metric reaches this value. Undefined if the sweep file names no target. */
  readonly target: number | undefined;
  /** Whether a straggler is run a second time on a free slot of another agent. */
  readonly speculate: boolean;
  /** The rule that stops unpromising trials early. Undefined if the sweep stops no trial early. */
  readonly earlyTerminate: EarlyTerminate | undefined;
  /** How agents run the user's program and read its reports. Used only for the trainer `command`. */
  readonly program: ProgramSpec | undefined;
}

export type MaxFailed =
  | { readonly kind: 'count'; readonly count: number }
  /** The maximum share of failed trials among all trials of the sweep, from 0 to 1. */
  | { readonly kind: 'share'; readonly ratio: number };

/** The maximum number of retries of a trial, for each class of failure. */
export interface RetryBudget {
  readonly oom: number;
  readonly crash: number;
  readonly timeout: number;
  /** The delay before the first retry. The delay doubles with each further retry. */
  readonly backoffMs: number;
}
