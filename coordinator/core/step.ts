/**
 * Defines the result of a decision. Every decision has the shape `(core, event, now) → Step`: it changes the core in
 * memory, and returns the changes to store and the outputs to send once the changes are durable. A decision that does
 * not depend on the time takes no `now`; a decision that also answers its caller returns an `Answered`.
 */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { ProgramStart } from '../../proto/gen/trawl/v1/types.ts';
import type { AgentEventKind, FailureClassName, WarningKindName } from '../../proto/names.ts';
import type { PlannedTrial, SourceState, StoredSuggestion } from '../search/trial-source.ts';
import type { AgentFacts, Quarantine } from './agent-model.ts';
import type { Artifact, AttemptEnd, Checkpoint, Failure } from './attempt-model.ts';
import type { SweepState } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import type { UsedSlotTime } from './slot-time.ts';
import type { Warning } from './sweep-observations.ts';
import type { TrialState } from './trial-model.ts';

export interface Step {
  readonly changes: readonly Change[];
  readonly outputs: readonly Output[];
}

/** A step, and the answer that the decision returns to its caller. */
export interface Answered<A> {
  readonly step: Step;
  readonly answer: A;
}

export const NO_STEP: Step = { changes: [], outputs: [] };

export function stepOf(changes: readonly Change[], outputs: readonly Output[] = []): Step {
  return { changes, outputs };
}

/** Concatenates steps in order, in linear time. */
export function combine(steps: readonly Step[]): Step {
  if (steps.length === 1 && steps[0] !== undefined) return steps[0];
  return { changes: steps.flatMap(({ changes }) => changes), outputs: steps.flatMap(({ outputs }) => outputs) };
}

/** A fact to store. Most changes also add an event to the event log. */
export type Change =
  /** A trial was created. `state` is the state of the sweep's source after this trial. */
  | {
      readonly kind: 'created';
      readonly sweepId: string;
      readonly trial: PlannedTrial;
      readonly state: SourceState;
    }
  /** A trial was created. It continues from the checkpoint of another trial. */
  | {
      readonly kind: 'inherited';
      readonly sweepId: string;
      readonly trial: PlannedTrial;
      readonly origin: TrialOrigin;
    }
  /** An external process has suggested a point. This change is not recorded in the event log. */
  | { readonly kind: 'suggested'; readonly sweepId: string; readonly suggestion: StoredSuggestion }
  /**
   * The state of the source of a sweep's trials has changed without a new trial: the source has dropped points, has no
   * further trials, or creates trials again after a retry. This change is not recorded in the event log.
   */
  | {
      readonly kind: 'searched';
      readonly sweepId: string;
      readonly state: SourceState;
      /** Whether the source has no further trials. */
      readonly done: boolean;
    }
  | {
      readonly kind: 'trial';
      readonly sweepId: string;
      readonly trialId: string;
      /** Never `running`, because a `granted` change puts a trial into that state. */
      readonly state: Exclude<TrialState, 'running'>;
      /** The reason, for display. Empty if the state needs no explanation. */
      readonly detail: string;
      /** The failure of the last attempt, if the failure caused this change. */
      readonly failure: Failure | undefined;
      /**
       * For a trial with a result, whether it may have stored checkpoints. These are then deleted, because the trial no
       * longer needs them. Default: true
       */
      readonly hasCheckpoint?: boolean | undefined;
    }
  /** A user retried a trial. The trial is pending again, with a full retry budget. */
  | {
      readonly kind: 'retried';
      readonly sweepId: string;
      readonly trialId: string;
      /** The id of the user's request. The same request can be sent more than once. */
      readonly requestId: string;
      /** The number of attempts before the retry. The failures before the retry no longer count against the budget. */
      readonly attempts: number;
      /** The failure class of the trial before the retry. Undefined if the trial was cancelled. */
      readonly failure: FailureClassName | undefined;
      /**
       * The epoch of the checkpoint to continue from. 0 means that the trial starts from scratch, and that no
       * checkpoint is kept.
       */
      readonly resumesFrom: number;
    }
  | {
      readonly kind: 'granted';
      readonly key: AttemptKey;
      readonly agentId: string;
      readonly incarnation: string;
      readonly slot: number;
      /** Equal for all attempts that were granted together. */
      readonly pack: string;
      readonly backend: string;
      /** The number of GPUs of the slot. The number is less than 1 if several slots share a GPU. */
      readonly gpus: number;
      /** The epoch of the checkpoint that the attempt continues from; 0 means no checkpoint. */
      readonly resumedFrom: number;
      /** Whether another attempt of the trial was running at the time of the grant. */
      readonly speculative: boolean;
    }
  /** The results of a speculative attempt become the results of the trial, because the first attempt ends. */
  | { readonly kind: 'promoted'; readonly key: AttemptKey }
  | {
      readonly kind: 'ended';
      readonly key: AttemptKey;
      readonly end: AttemptEnd;
      /** Whether the attempt failed so early that the machine may be the cause. */
      readonly early: boolean;
      /**
       * Whether the failure is not charged to the trial, because another attempt of the trial continues, or because the
       * attempt was only queued when it was lost.
       */
      readonly free: boolean;
      /**
       * The time from the start of the attempt to the end of the lease; 0 if the attempt was only queued or was
       * returned.
       */
      readonly leasedMs: number;
      /**
       * The slot time of the attempt or its pack. Undefined while other attempts of the pack hold the slot, and
       * undefined if no attempt of the pack has run.
       */
      readonly used: UsedSlotTime | undefined;
    }
  /** The early failures of a sweep no longer count against an agent. */
  | { readonly kind: 'cleared'; readonly sweepId: string; readonly agentId: string }
  | {
      readonly kind: 'sweep';
      readonly sweepId: string;
      readonly state: SweepState;
      /** The reason, for display; may be empty. Undefined if the reason for the previous state still applies. */
      readonly reason: string | undefined;
    }
  /** A sweep changed to a new version of its file. */
  | {
      readonly kind: 'applied';
      readonly sweepId: string;
      readonly version: NewVersion;
      /** The total number of trials, dropped trials included. Infinite if the search has no limit. */
      readonly planned: number;
      /** The state of the source of further trials. */
      readonly state: SourceState;
      /** Whether the source has no further trials. */
      readonly done: boolean;
      /** The ids of trials whose points the new version lacks (`dropped`) or has again (`restored`). */
      readonly dropped: readonly string[];
      readonly restored: readonly string[];
    }
  | { readonly kind: 'priority'; readonly sweepId: string; readonly priority: number; readonly before: number }
  /** A warning about a sweep appears, changes or is removed. `shown` is undefined if the warning is removed. */
  | {
      readonly kind: 'warning';
      readonly sweepId: string;
      readonly warning: WarningKindName;
      readonly shown: Warning | undefined;
      /**
       * Whether the warning is new to the sweep. False if only the message or the count of the warning changed.
       */
      readonly appeared: boolean;
    }
  /** The facts behind the warnings of a sweep have changed. This change is not recorded in the event log. */
  | {
      readonly kind: 'facts';
      readonly sweepId: string;
      /** The names of the metrics that the trials have reported, up to a maximum number. */
      readonly reported: readonly string[];
      /** The number of trials with a result that lacks the ranking metric. */
      readonly lacking: number;
    }
  /**
   * The results of the replicates of a config are identical, or are no longer identical. This change is not recorded in
   * the event log.
   */
  | {
      readonly kind: 'identical';
      readonly sweepId: string;
      readonly configId: string;
      /** The number of identical replicates; 0 if the results differ. */
      readonly replicates: number;
    }
  /** An attempt has run much longer than comparable attempts. */
  | {
      readonly kind: 'straggler';
      readonly key: AttemptKey;
      /** One human-readable sentence. */
      readonly detail: string;
    }
  /** The facts about an agent have changed. `facts` is undefined if the facts are removed. */
  | {
      readonly kind: 'agent';
      readonly agentId: string;
      readonly facts: AgentFacts | undefined;
      /** The event that the change of the agent causes. Undefined if only times or numbers have changed. */
      readonly event?: AgentEvent | undefined;
    }
  /** An agent is drained, or may take work again; in the second case, `drain` is undefined. */
  | {
      readonly kind: 'drain';
      readonly agentId: string;
      readonly drain: StoredDrain | undefined;
      /**
       * Whether a request started, replaced or ended the drain. The field is false if only the remaining grace period
       * has changed.
       */
      readonly isNew: boolean;
    }
  /**
   * An agent is quarantined, a probe has failed, or a quarantine has ended; in the last case, `quarantine` is
   * undefined.
   */
  | {
      readonly kind: 'quarantine';
      readonly agentId: string;
      readonly quarantine: StoredQuarantine | undefined;
      /** The sweeps whose event logs show the change. */
      readonly sweepIds: readonly string[];
      /** One human-readable sentence. */
      readonly detail: string;
    }
  | {
      readonly kind: 'report';
      readonly key: AttemptKey;
      readonly seq: number;
      readonly at: number;
      readonly epoch: number;
      readonly metrics: Readonly<Record<string, number>>;
      /** When the attempt started in its slot, in Unix milliseconds. Not stored; undefined if unknown. */
      readonly startedAt?: number | undefined;
    }
  /** A trial entered a rung of early stopping. */
  | {
      readonly kind: 'rung';
      readonly key: AttemptKey;
      readonly at: number;
      readonly rung: number;
      /** The step of the report with which the trial entered the rung. */
      readonly step: number;
      /** The value that the rule compared. */
      readonly value: number;
      /** The reason why the trial continues. Empty if the trial is stopped, or if the rule compared nothing. */
      readonly detail: string;
    }
  /** A trial may train beyond a rung. */
  | {
      readonly kind: 'advanced';
      readonly sweepId: string;
      readonly trialId: string;
      readonly rung: number;
      /** The reason why the trial may continue, for display. */
      readonly detail: string;
    }
  | {
      readonly kind: 'log';
      readonly key: AttemptKey;
      readonly seq: number;
      readonly at: number;
      readonly text: string;
    }
  /** A warning that an attempt sent. Replaces the attempt's earlier warning of this kind. */
  | {
      readonly kind: 'notice';
      readonly key: AttemptKey;
      readonly seq: number;
      readonly at: number;
      readonly warning: WarningKindName;
      readonly message: string;
      readonly count: number;
    }
  /**
   * The command, packages and environment with which an attempt's program was started. Replaces the attempt's earlier
   * `program` record.
   */
  | {
      readonly kind: 'program';
      readonly key: AttemptKey;
      readonly seq: number;
      readonly at: number;
      readonly program: ProgramStart;
    }
  | {
      readonly kind: 'artifact';
      readonly key: AttemptKey;
      readonly seq: number;
      readonly at: number;
      readonly artifact: Artifact;
    };

/** The origin of a trial that is a child in a population. */
interface TrialOrigin {
  readonly parent: string;
  /** The id of the trial that the new trial replaces in the population. */
  readonly replaces: string;
  /** The rung of the comparison that created the trial. */
  readonly rung: number;
  /** The checkpoint of the parent. */
  readonly checkpoint: Checkpoint;
  /** The reason why the trial was created, for display. */
  readonly detail: string;
}

/** The parts of a sweep that a version of its file determines. */
export interface NewVersion {
  readonly number: number;
  readonly fileName: string;
  readonly text: string;
  readonly fingerprint: string;
  readonly name: string;
  /** The names of the parameters that vary within the sweep. */
  readonly axes: readonly string[];
  readonly configs: number;
  readonly replicates: number;
  /** The number of grid points that `exclude` drops. */
  readonly excluded: number;
  readonly policy: SweepPolicy;
  readonly priority: number;
  /** One sentence about the differences from the previous version, for display. */
  readonly detail: string;
}

interface AgentEvent {
  readonly kind: Extract<AgentEventKind, 'joined' | 'left' | 'lost' | 'returned'>;
  /** One human-readable sentence. */
  readonly detail: string;
}

/**
 * The drain of an agent, as it is stored. The remaining grace period is stored as a duration, because the clock can
 * differ after a restart.
 */
export interface StoredDrain {
  readonly graceLeftMs: number;
  readonly reason: string;
  /** The name of the user who drained the agent; may be empty. */
  readonly by: string;
  /** The time when the agent was drained; 0 if an older version of trawl stored the drain. */
  readonly since: number;
}

/**
 * The quarantine of an agent, as it is stored. The delay before the next probe is not stored, because it follows from
 * the number of failed probes.
 */
export type StoredQuarantine = Omit<Quarantine, 'probeAt'>;

/** A message that is sent once the changes of its step are durable. */
export type Output =
  | { readonly kind: 'offer'; readonly pool: string; readonly key: AttemptKey }
  /** The agent must end an attempt whose lease it no longer holds. */
  | { readonly kind: 'revoke'; readonly agentId: string; readonly key: AttemptKey; readonly refusal: Refusal }
  /** The agent must return attempts that it has not started (prefetch.ts). */
  | { readonly kind: 'return'; readonly agentId: string; readonly keys: readonly AttemptKey[] }
  /** A stopped attempt can send no more files. */
  | { readonly kind: 'closed'; readonly key: AttemptKey }
  | { readonly kind: 'drain'; readonly agentId: string }
  /** The agent's slots moved to other pools. */
  | { readonly kind: 'pools'; readonly agentId: string };

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}
