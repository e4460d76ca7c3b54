import type { FailureClassName, TrialStateName } from '../../proto/names.ts';
import { epochsOf, type Parameters, packKey } from '../../proto/trainers.ts';
import type { PlannedTrial } from '../search/trial-source.ts';
import type { Checkpoint, FailedAttempt, Lease } from './attempt-model.ts';
import type { SweepPolicy } from './policy.ts';

export interface Trial {
  readonly id: string;
  readonly index: number;
  readonly configId: string;
  state: TrialState;
  /** Trials with the same key can be trained in one pack. A trial without a key is trained alone. */
  readonly packKey: string | undefined;
  /** The number of epochs that the trial trains. Undefined if the trainer has no epochs. */
  readonly epochs: number | undefined;
  /** The highest rung of early stopping that the trial has entered; 0 means no rung. */
  rung: number;
  /** The score with which the trial entered its highest rung. 0 if it has entered none. */
  rungScore: number;
  /** The highest rung of early stopping that the trial was promoted from. 0 means none. */
  promotedFrom: number;
  /** The number of attempts granted so far. */
  attempts: number;
  /**
   * By failure class, the number of failed attempts that count against the retry budget. A manual retry resets these
   * counts.
   */
  failures: Partial<Record<FailureClassName, number>>;
  /** The number of lost attempts that do not count against the retry budget. A manual retry resets this number. */
  freeLosses: number;
  /** The trial's attempts whose failure may be the fault of the machine. A manual retry clears this list. */
  failedAttempts: readonly FailedAttempt[];
  /**
   * Until this time, the next attempt avoids the agents of `failedAttempts` if another agent can run the trial; 0 means
   * that the attempt avoids no agent.
   */
  avoidUntil: number;
  /** The class of the failure that put the trial in its current state. Undefined if no failure caused this state. */
  failure: FailureClassName | undefined;
  /** The time when the trial was offered. The field is valid only in state `offered`. */
  offeredAt: number;
  /**
   * The pool that the trial was offered to. Undefined if the offer was made before a restart. The field is
   * valid only in state `offered`.
   */
  pool: string | undefined;
  /**
   * The pools that received this offer before `pool`. The offer is not made to these pools again: each move resets
   * `offeredAt`, so an offer that alternates between pools would never be old enough to reveal a stuck queue. The list
   * is cleared when the queue of `pool` is recreated. The field is valid only in state `offered`.
   */
  earlierPools: readonly string[];
  /**
   * The time at which the backoff before a retry ends; 0 without a backoff. The trial is not offered before this time.
   */
  readyAt: number;
  /** The newest checkpoint. Without a checkpoint, the next attempt starts from scratch. */
  checkpoint: Checkpoint | undefined;
  /** The lease of the attempt that provides the trial's results. Set while the trial runs. */
  lease: Lease | undefined;
  /** The lease of a speculative attempt that runs beside the first attempt. */
  speculation: Lease | undefined;
  /** The offer of a speculative attempt of the trial. The offer is not stored, because it can be repeated. */
  speculativeOffer: SpeculativeOffer | undefined;
  /** Whether the current version of the sweep lacks the trial's point. A dropped trial does not start again. */
  dropped: boolean;
  /**
   * The id of the trial whose checkpoint this trial started from (population.ts). Undefined if this trial started from
   * scratch.
   */
  readonly parent: string | undefined;
  readonly parameters: Parameters;
  readonly seed: number;
  /** Whether the trial has had a speculative attempt. A manual retry resets this flag. */
  speculated: boolean;
}

interface SpeculativeOffer {
  readonly pool: string;
  offeredAt: number;
}

/** The states of a trial in the store. The state `interrupted` exists only in the views for users. */
export type TrialState = Exclude<TrialStateName, 'interrupted'>;

/** The states of a trial that has ended. */
export const FINAL_STATES = ['succeeded', 'stopped', 'failed', 'cancelled'] as const satisfies TrialState[];
export type FinalState = (typeof FINAL_STATES)[number];

/** Returns a trial that has not started. */
export function newTrial({ trainer }: Pick<SweepPolicy, 'trainer'>, planned: PlannedTrial): Trial {
  return {
    id: planned.trialId,
    index: planned.index,
    configId: planned.configId,
    state: 'pending',
    packKey: packKey(trainer, planned.parameters),
    epochs: epochsOf(trainer, planned.parameters),
    rung: 0,
    rungScore: 0,
    promotedFrom: 0,
    attempts: 0,
    failures: {},
    freeLosses: 0,
    failedAttempts: [],
    avoidUntil: 0,
    failure: undefined,
    offeredAt: 0,
    pool: undefined,
    earlierPools: [],
    readyAt: 0,
    checkpoint: undefined,
    lease: undefined,
    speculation: undefined,
    speculativeOffer: undefined,
    dropped: false,
    parent: undefined,
    parameters: planned.parameters,
    seed: planned.seed,
    speculated: false,
  };
}

/**
 * Whether a trial in this state has ended. An ended trial changes its state only in two cases: a user retries it, or it
 * is cancelled and a user applies a version of the sweep file that contains its point.
 */
export function isFinal(state: TrialState): state is FinalState {
  return FINAL_STATES.some((one) => one === state);
}
