import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { ArtifactKindName, FailureClassName } from '../../proto/names.ts';
import type { RuleName } from '../early-stop/settings.ts';

export interface Failure {
  readonly class: FailureClassName;
  readonly message: string;
}

/** How an attempt ends when the early-stopping rule of its sweep stops the trial. */
interface StoppedEnd {
  readonly outcome: 'stopped';
  readonly rule: RuleName;
  /** One human-readable phrase. */
  readonly reason: string;
}

/** How an attempt ends when the early-stopping rule of its sweep holds the trial at a rung. */
interface HeldEnd extends Omit<StoppedEnd, 'outcome'> {
  readonly outcome: 'held';
}

/**
 * The ways in which an attempt can end, except `superseded`. `returned` means that the agent handed the attempt back
 * before the attempt started.
 */
export type FinalEnd =
  | { readonly outcome: 'succeeded' | 'cancelled' }
  | { readonly outcome: 'returned' }
  | StoppedEnd
  | HeldEnd
  | { readonly outcome: 'failed'; readonly failure: Failure };

/** The end of an attempt. `superseded` means that the other attempt of the trial was the first to have a result. */
export type AttemptEnd = FinalEnd | { readonly outcome: 'superseded' };

/** Classes of failure that a machine can be responsible for. */
export type AttributableClass = Extract<FailureClassName, 'oom' | 'crash' | 'timeout' | 'preflight'>;

/** A failed attempt whose failure may be the fault of the machine. */
export interface FailedAttempt {
  readonly agentId: string;
  readonly class: AttributableClass;
  /**
   * Whether the attempt failed early: soon after its start, in preflight, or with a timeout before any report. Only
   * early failures count against the machine.
   */
  readonly early: boolean;
  /** Whether the failure is not charged to the trial (see the change `ended` in step.ts). */
  readonly free: boolean;
}

/** A file that an attempt produced. */
export interface Artifact {
  readonly name: string;
  readonly kind: ArtifactKindName;
  /** The epoch that the artifact belongs to. 0 means no epoch. */
  readonly epoch: number;
  /** The size of the file in bytes. */
  readonly size: number;
  /** In lower-case hexadecimal. */
  readonly sha256: string;
}

/** The state from which a trial's next attempt continues. */
export interface Checkpoint extends Artifact {
  /** The attempt that produced the checkpoint. */
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
  /** All leases of a pack share this object. */
  readonly usage: SlotUsage;
  /** The epoch of the checkpoint that the attempt continues from; 0 means no checkpoint. */
  readonly resumedFrom: number;
  expiresAt: number;
  /**
   * The warning that the attempt runs much longer than comparable attempts (stragglers.ts). Undefined if the attempt is
   * not a straggler.
   */
  straggler: string | undefined;
  /** Whether the attempt has sent a report. */
  reported: boolean;
  /** The number of the newest accepted record; 0 means that no record was accepted. */
  lastSeq: number;
  /**
   * The amount of data that the agent has sent for the attempt. After a restart, the amount is restored from the store.
   */
  readonly received: ReceivedAmounts;
}

/**
 * An attempt whose trial the early-stopping rule has stopped. The attempt ran a user's program, and can still send the
 * rest of its log and its files.
 */
export interface ClosingAttempt extends Pick<Lease, 'key' | 'agentId' | 'received'> {
  lastSeq: number;
  /** The time when the attempt is closed if it sends nothing more. */
  until: number;
}

export interface ReceivedAmounts {
  logCharacters: number;
  /** The size of the attempt's reports, in characters of JSON. */
  reportCharacters: number;
  readonly metrics: Set<string>;
  /** The total length of the metrics' names, in characters. */
  metricCharacters: number;
  programs: number;
}

/**
 * The time for which one attempt, or one pack, occupies a slot. A slot can hold further attempts or packs, which are
 * queued until it runs them (prefetch.ts).
 */
export interface SlotUsage {
  readonly sweepId: string;
  /** The process of the agent that holds the attempt or the pack. */
  readonly incarnation: string;
  readonly grantedAt: number;
  /** The time when the slot began to run the attempt or the pack. Undefined while it is queued. */
  startedAt: number | undefined;
  /**
   * The time from which the usage counts in the sweep's share: `startedAt`, or the start of the coordinator if that is
   * later.
   */
  countedFrom: number;
  /** The time of the last order to return the attempt or the pack. Undefined if there was none. */
  returnOrderedAt: number | undefined;
  /**
   * The latest time at which an attempt of the usage ended, not counting returned attempts. Undefined if no such
   * attempt has ended since the coordinator started.
   */
  ranUntil: number | undefined;
  /** The number of GPUs of the slot. The number is less than 1 if several slots share a GPU. */
  readonly gpus: number;
  /** The number of the usage's leases that have not ended. */
  leases: number;
}
