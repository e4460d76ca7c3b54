import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { ArtifactKindName, AttemptOutcomeName, FailureClassName } from '../../proto/names.ts';
import type { RuleName } from '../early-stop/settings.ts';

export interface Failure {
  readonly class: FailureClassName;
  readonly message: string;
}

/** The end of an attempt that the early-stopping rule of its sweep stopped. */
interface StoppedEnd {
  readonly outcome: 'stopped';
  readonly rule: RuleName;
  /** One human-readable phrase. */
  readonly reason: string;
}

/** The end of an attempt that the attempt itself or the coordinator caused. */
export type FinalEnd =
  | { readonly outcome: Exclude<AttemptOutcomeName, 'failed' | 'interrupted' | 'superseded' | 'stopped'> }
  | StoppedEnd
  | { readonly outcome: 'failed'; readonly failure: Failure };

/** How an attempt ended. `superseded`: a concurrent attempt of the trial had its result first. */
export type AttemptEnd = FinalEnd | { readonly outcome: 'superseded' };

/** Classes of failure that a machine can be responsible for. */
export type AttributableClass = Extract<FailureClassName, 'oom' | 'crash' | 'timeout' | 'preflight'>;

/** A failed attempt of an attributable class. */
export interface FailedAttempt {
  readonly agentId: string;
  readonly class: AttributableClass;
  /**
   * Whether the machine can be responsible: the attempt failed soon after its start, in preflight, or without any
   * report.
   */
  readonly early: boolean;
  /** Whether another attempt of the trial continued, so that the failure is not charged to the trial. */
  readonly free: boolean;
}

/** A file that an attempt produced. */
export interface Artifact {
  readonly name: string;
  readonly kind: ArtifactKindName;
  /** The epoch that the artifact belongs to. 0 means no epoch. */
  readonly epoch: number;
  /** Bytes. */
  readonly size: number;
  /** In lower-case hexadecimal. */
  readonly sha256: string;
}

/** The state from which a trial's next attempt continues. */
export interface Checkpoint extends Artifact {
  /** The attempt that produced it. */
  readonly attempt: number;
}

export interface Lease {
  readonly key: AttemptKey;
  readonly agentId: string;
  readonly incarnation: string;
  readonly slot: number;
  /** Equal for all leases that were granted together as one pack. */
  readonly pack: string;
  readonly grantedAt: number;
  /** Whether the attempt was granted while another attempt of its trial was running. */
  readonly speculative: boolean;
  /** Shared by all leases of the pack. */
  readonly usage: SlotUsage;
  /** The epoch of the checkpoint that the attempt continues from. 0 means none. */
  readonly resumedFrom: number;
  expiresAt: number;
  /**
   * The warning about an attempt that runs much longer than comparable attempts (stragglers.ts). Undefined if there is
   * no such warning.
   */
  straggler: string | undefined;
  /** Whether the attempt has reported. */
  reported: boolean;
  /** The number of the newest accepted record. 0 means none. */
  lastSeq: number;
  /** The amount of data that the agent has sent for the attempt. A restart restores it from the store. */
  readonly received: ReceivedAmounts;
}

export interface ReceivedAmounts {
  logCharacters: number;
  /** The size of the reports, in characters of JSON. */
  reportCharacters: number;
  readonly metrics: Set<string>;
  /** The characters in the names of the metrics. */
  metricCharacters: number;
  programs: number;
}

/** The time for which one attempt, or one pack, occupies a slot. */
export interface SlotUsage {
  /** When the usage began, or when the coordinator started, if later. */
  readonly startedAt: number;
  readonly grantedAt: number;
  /** The number of GPUs of the slot. Less than 1 if slots share a GPU. */
  readonly gpus: number;
  /** Leases that have not ended. */
  leases: number;
}
