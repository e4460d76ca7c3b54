import type { FailureClassName, TrialStateName } from '../../proto/names.ts';
import type { Checkpoint, FailedAttempt, Lease } from './attempt-model.ts';

export interface Trial {
  readonly id: string;
  readonly index: number;
  readonly configId: string;
  state: TrialState;
  /** Trials with the same key can be trained in one pack. Undefined means that the trial is trained alone. */
  readonly packKey: string | undefined;
  /** The number of the trial's last epoch. Undefined if the trainer has no such number. */
  readonly epochs: number | undefined;
  /** The highest rung of early stopping that the trial has entered. 0 means none. */
  rung: number;
  /** Attempts granted so far. */
  attempts: number;
  /**
   * The number of failed attempts that count against the retry budget, for each failure class. A manual retry resets
   * these counts.
   */
  failures: Partial<Record<FailureClassName, number>>;
  /** Attempts that failed with an attributable class. A manual retry resets these counts. */
  failedAttempts: readonly FailedAttempt[];
  /**
   * Until this time, the next attempt avoids the agents of `failedAttempts` if another agent can run the trial. 0 means
   * that it avoids no agent.
   */
  avoidUntil: number;
  /** The failure that put the trial in its present state. Undefined if the last attempt did not fail. */
  failure: FailureClassName | undefined;
  /** When the trial was offered. Valid in state `offered`. */
  offeredAt: number;
  /**
   * The pool that the trial was offered to. Undefined if the offer was made before a restart. Valid in state `offered`.
   */
  pool: string | undefined;
  /**
   * The pools that the same offer was made to before `pool`, since their queues were last recreated. The offer is not
   * repeated to these pools, so that it stays in one queue long enough for the queue to count as stuck. Valid in state
   * `offered`.
   */
  earlierPools: readonly string[];
  /** The earliest time at which the trial may be offered, which is the end of the backoff before a retry. */
  readyAt: number;
  /** The newest checkpoint. Undefined means that the next attempt starts from scratch. */
  checkpoint: Checkpoint | undefined;
  /** The attempt that provides the trial's results. Set while the trial runs. */
  lease: Lease | undefined;
  /** A speculative attempt that runs at the same time. */
  speculation: Lease | undefined;
  /** An offer of a speculative attempt. The offer is not stored, because it can be repeated. */
  speculativeOffer: SpeculativeOffer | undefined;
  /** Whether the current version of the sweep lacks the trial's point. Such a trial does not start again. */
  dropped: boolean;
  /** Whether the trial has had a speculative attempt. A manual retry resets this flag. */
  speculated: boolean;
}

interface SpeculativeOffer {
  readonly pool: string;
  offeredAt: number;
}

/** The states of a trial in the store. `interrupted` exists for readers only. */
export type TrialState = Exclude<TrialStateName, 'interrupted'>;

/** Whether a trial in this state has ended. Only a retry by a user changes such a state. */
export function isFinal(state: TrialState): boolean {
  return state === 'succeeded' || state === 'stopped' || state === 'failed' || state === 'cancelled';
}
