import type { RankingRule } from '../../lib/domain/metric-values.ts';
import type { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Labels } from '../../proto/limits.ts';
import type { EarlyTerminate } from '../early-stop/settings.ts';

/** The requirements of a sweep's trials on a slot. */
export interface Demand {
  /** One of the names in proto/trainers.ts. */
  readonly trainer: string;
  readonly resources: Resources;
}

export interface Resources {
  /** Number of GPUs that the slot must have. False means none. Undefined accepts any slot. */
  readonly gpu?: number | false;
  /** Bytes of memory that a trial needs on each GPU. */
  readonly vramBytes?: number;
  /** Labels that the agent must have, with these values. */
  readonly labels: Labels;
}

/** The settings of a sweep file that affect how its trials are run. */
export interface SweepPolicy extends Demand {
  /** Maximum number of attempts that are offered or running at the same time. Undefined means no limit. */
  readonly concurrency: number | undefined;
  readonly retry: RetryBudget;
  /** Longest duration of an attempt. Undefined means no limit. */
  readonly timeoutMs: number | undefined;
  /** The sweep is paused when more trials than this have failed. Undefined means no limit. */
  readonly maxFailed: MaxFailed | undefined;
  /** Epochs between two checkpoints. 0 means no checkpoints. */
  readonly checkpointEvery: number;
  /** Epochs between two reconstruction images. 0 means no images. */
  readonly reconstructEvery: number;
  /** The command line of trainer `command`; empty for the other trainers. */
  readonly command: readonly string[];
  /** The sweep's share of the slots relative to other sweeps of its priority; positive. */
  readonly weight: number;
  /** The metric that ranks the trials, and the step that determines its value. */
  readonly ranking: RankingRule;
  /** The sweep ends when a trial's ranking metric reaches this value. Undefined means no target. */
  readonly target: number | undefined;
  /** Whether a straggler is run a second time on a free slot of another agent. */
  readonly speculate: boolean;
  /** The rule that stops trials early. Undefined means none. */
  readonly earlyTerminate: EarlyTerminate | undefined;
  /** How agents run the user's program and read its reports. Only for trainer `command`. */
  readonly program: ProgramSpec | undefined;
}

export type MaxFailed =
  | { readonly kind: 'count'; readonly count: number }
  /** A fraction of all trials of the sweep, from 0 to 1. */
  | { readonly kind: 'share'; readonly ratio: number };

/** The number of retries of a trial per class of failure. */
export interface RetryBudget {
  readonly oom: number;
  readonly crash: number;
  readonly timeout: number;
  /** Delay before the first retry. The delay doubles with each further retry. */
  readonly backoffMs: number;
}
