/**
 * Defines the terms of the coordinator, and its state in memory. The state is plain data that the other files of this
 * folder change.
 *
 * - **sweep**: a submitted file, with the trials that it defines.
 * - **version**: the submitted file of a sweep, or an edited file that a user has applied to the sweep.
 * - **trial**: one point of the grid or search, and one seed. The id of a trial is a hash of its point and seed, so the
 *   same point and seed are always the same trial.
 * - **config**: a trial's parameters without the seed. The trials of a config are its **replicates**.
 * - **attempt**: one run of a trial on one agent, numbered from 1 without gaps.
 * - **speculative attempt**: a second attempt of a trial whose first attempt is a straggler. The first of the two that
 *   succeeds supersedes the other.
 * - **fencing token**: the attempt number. Records of an attempt that no longer holds the lease are rejected.
 * - **record**: one message of an attempt, such as the metrics of an epoch, log text, an artifact, or the end of the
 *   attempt. The records of an attempt are numbered from 1.
 * - **report**: a record with the metrics of one epoch.
 * - **searcher**: yields the points of a sweep one at a time (coordinator/search/searcher.ts).
 * - **agent**: the process that runs trials on one machine. Each start of the process is a new **incarnation**.
 * - **slot**: the part of an agent that runs one attempt or one pack.
 * - **pack**: trials that one slot trains together. Each trial of a pack has its own lease, records and end.
 * - **pool**: the slots that can run the same trials (pools.ts). Each pool has its own queue of offers.
 * - **offer**: a message on NATS that offers a trial to the slots of a pool.
 * - **lease**: the right to run an attempt. A lease expires unless it is renewed.
 * - **preflight**: the preparation of an attempt before its program starts, such as the download of its code and of its
 *   data set.
 * - **rung**: a step at which early stopping compares trials. The history of a rung is the scores of the trials that
 *   reached the rung.
 * - **drain**: a request that an agent take no new work.
 *
 * Times are Unix milliseconds of a clock that never jumps (coordinator/app/runtime.ts); a name that ends in `Ms` is a
 * duration.
 */

import type TinyQueue from 'tinyqueue';
import type { SweepStateName } from '../../proto/names.ts';
import type { SourceState, TrialSource } from '../search/trial-source.ts';
import type { Agent, AgentFacts, Drain, Quarantine } from './agent-model.ts';
import type { ClosingAttempt, Lease, SlotUsage } from './attempt-model.ts';
import type { SweepPolicy } from './policy.ts';
import type { SlotTimeMeter } from './slot-time.ts';
import type {
  AgentRecord,
  AttemptDurations,
  ConsecutiveFailure,
  EarlyStopping,
  SweepWarnings,
} from './sweep-observations.ts';
import type { FinalState, Trial, TrialState } from './trial-model.ts';

export type SweepState = Exclude<SweepStateName, 'interrupted'>;

export interface Sweep {
  readonly id: string;
  policy: SweepPolicy;
  /** The number of the current version of the sweep file. The first version has the number 1. */
  version: number;
  state: SweepState;
  /** The priority of the sweep. Trials of sweeps with a higher priority are always offered first. */
  priority: number;
  readonly share: Share;
  /** The source of the sweep's further trials. Undefined if the sweep creates no more trials. */
  search: TrialCreation | undefined;
  /** The total number of trials. Infinite if the search has no limit. */
  planned: number;
  /**
   * The trials of the sweep that have not ended. Trials that have ended are read from the store (ended-trials.ts). A
   * trial that has just ended stays in this map until the step of the core that ended the trial is complete.
   */
  readonly trials: Map<string, Trial>;
  /** The number of trials in each state, including trials that have ended. */
  readonly counts: Record<TrialState, number>;
  /**
   * By state, the number of ended trials whose points the current version of the sweep lacks. `counts` includes these
   * trials. Dropped trials that have not ended are not counted here, because they may still use slots.
   */
  readonly dropped: Record<FinalState, number>;
  /** The trials in state `offered`. */
  readonly offers: Set<Trial>;
  /** The trials with a speculative offer, or with a speculative attempt beside the first attempt. */
  readonly speculations: Set<Trial>;
  /**
   * The trials that may be offered to any agent, in order of index. The queue can contain trials that are no longer
   * pending.
   */
  readonly ready: TinyQueue<Trial>;
  /**
   * The trials that avoid agents on which they have failed, grouped by `avoidKey` and in order of index. A queue can
   * contain trials that are no longer pending.
   */
  readonly readyElsewhere: Map<string, TinyQueue<Trial>>;
  /** The pending and offered trials with a failed attempt whose failure may be the fault of a machine. */
  readonly retries: Set<Trial>;
  /**
   * The pending and offered trials, grouped by `packKey` and in order of index. A queue can contain trials that run or
   * have ended.
   */
  readonly packable: Map<string, TinyQueue<Trial>>;
  /**
   * The trials that wait for their backoff to end, in order of `readyAt`. The queue can contain trials that are no
   * longer pending.
   */
  readonly delayed: TinyQueue<{ readonly trial: Trial; readonly readyAt: number }>;
  /**
   * A cache of the results of `isEligible`, by pool id. The results are constant, because the capability of a pool and
   * the demand of a sweep never change.
   */
  readonly eligible: Map<string, boolean>;
  /** The slot time that the sweep has used (slot-time.ts). The slot time survives restarts, unlike `share`. */
  readonly slotTime: SlotTimeMeter;
  readonly warnings: SweepWarnings;
  readonly durations: AttemptDurations;
  /** The outcomes of the sweep's trials on each agent, by agent id (attribution.ts). */
  readonly records: Map<string, AgentRecord>;
  /** The state of the sweep's early-stopping rule. Undefined if the sweep has no rule. */
  earlyStopping: EarlyStopping | undefined;
  /**
   * The consecutive failures of the sweep's attempts. The list is cleared when an attempt succeeds, is stopped early or
   * is held, and when the sweep is resumed or runs again after its end.
   */
  consecutiveFailures: readonly ConsecutiveFailure[];
}

/** The state that is needed to create further trials of a sweep (create-trials.ts). */
export interface TrialCreation {
  readonly source: TrialSource;
  state: SourceState;
}

/** The slot time of a sweep, from which the scheduler computes the sweep's level (share.ts). */
export interface Share extends DurationEstimate {
  /**
   * The part of the sweep's level that does not come from the slot time of the sweep. The level of a sweep is its used
   * slot time divided by its weight, plus `base`. If the level of a sweep is too low when the sweep joins the other
   * sweeps of its priority, `base` is increased. When the priority or the weight of the sweep changes, `base` is set so
   * that the level is 0.
   */
  base: number;
  /** The slot time of usages (see SlotUsage) that have ended, in milliseconds. */
  doneMs: number;
  /** The number of usages that have not started. */
  queuedSlots: number;
  /** The number of usages that have started and have not ended. */
  activeSlots: number;
  /** The sum of the start times of the usages that have started and have not ended. */
  startedAtSum: number;
  /** The average duration of the usages whose last attempt succeeded. */
  readonly success: DurationEstimate;
  /** Whether the last scheduling pass found a pending trial that a connected slot could run. */
  hasDemand: boolean;
}

/** A moving average of the time for which an attempt, or a pack, occupies a slot. */
export interface DurationEstimate {
  /** Undefined until the first duration is known. */
  meanMs: number | undefined;
}

/**
 * Limits how many trials per sweep are created but not started. The limit is `trials`, or more if the slots need more
 * trials. A search that uses results has a lower limit (create-trials.ts).
 */
export interface CreationWindow {
  readonly trials: number;
  /**
   * Enough trials for this many packs per slot are created in advance, so that the scheduler can choose the trials of
   * each pack from several trials.
   */
  readonly packsPerSlot: number;
}

export const CREATION_WINDOW: CreationWindow = { trials: 1_000, packsPerSlot: 4 };

/**
 * The queued attempts of a slot are expected to take at most this time in total, in milliseconds. The time is so short
 * that a higher priority, a pause or the end of a sweep still takes effect soon.
 */
const PREFETCH_MS = 100;

/** The state of the coordinator in memory. `meanMs` is the mean over the attempts of all sweeps. */
export interface Core extends DurationEstimate {
  /** The sweeps in order of submission. */
  readonly sweeps: Map<string, Sweep>;
  readonly agents: Map<string, Agent>;
  /** By agent id. A drain survives restarts of the agent and of the coordinator. */
  readonly drains: Map<string, Drain>;
  /**
   * Agents that have not connected since the coordinator started, or whose identity was revoked. The state of these
   * agents is `lost` or `left`.
   */
  readonly pastAgents: Map<string, AgentFacts>;
  /** By agent id. A quarantine survives restarts of the agent and of the coordinator. */
  readonly quarantines: Map<string, Quarantine>;
  /** The leases of all attempts that have not ended, by `keyText`. Only leases.ts changes this map. */
  readonly leases: Map<string, Lease>;
  /** The leases of each agent that holds a lease, by agent id. Only leases.ts changes this map. */
  readonly leasesByAgent: Map<string, Set<Lease>>;
  /** The stopped attempts that can still send their logs and files, by `keyText` (closing-attempts.ts). */
  readonly closing: Map<string, ClosingAttempt>;
  /**
   * The usages of each slot in use, in order of grant, by agent and slot. The slot runs the first of them, and the
   * others are queued. Only leases.ts changes this map.
   */
  readonly slotsInUse: Map<string, Map<number, SlotUsage[]>>;
  /**
   * By pool id, the number of attempts or packs that a slot may hold in addition to the one that it runs, as of the
   * last scheduling pass (prefetch.ts). A pool is not in the map if the number is 0.
   */
  readonly prefetch: Map<string, number>;
  /** By pool id, the time since which the pool has had far more offers than its slots may take (scheduler.ts). */
  readonly excessSince: Map<string, number>;
  /**
   * The start of the current period in which agents could reach the coordinator. An agent's silence before this time
   * does not let its leases expire.
   */
  listeningSince: number;
  /** A time before which no lease expires. Until then, a tick need not look for expired leases (tick.ts). */
  nextExpiryAt: number;
  /** The time when this process of the coordinator started. */
  readonly startedAt: number;
  readonly leaseMs: number;
  readonly creationWindow: CreationWindow;
  /** See PREFETCH_MS. */
  readonly prefetchMs: number;
}

/** @param startedAt the time when the coordinator started; by default, a time long ago */
export function newCore(
  leaseMs: number,
  startedAt = Number.NEGATIVE_INFINITY,
  creationWindow: CreationWindow = CREATION_WINDOW,
  prefetchMs = PREFETCH_MS,
): Core {
  return {
    sweeps: new Map(),
    agents: new Map(),
    drains: new Map(),
    pastAgents: new Map(),
    quarantines: new Map(),
    leases: new Map(),
    leasesByAgent: new Map(),
    closing: new Map(),
    slotsInUse: new Map(),
    prefetch: new Map(),
    excessSince: new Map(),
    listeningSince: Number.NEGATIVE_INFINITY,
    nextExpiryAt: Number.NEGATIVE_INFINITY,
    startedAt,
    meanMs: undefined,
    leaseMs,
    creationWindow,
    prefetchMs,
  };
}

export function isEnded(state: SweepStateName): state is 'finished' | 'stopped' | 'killed' {
  return state === 'finished' || state === 'stopped' || state === 'killed';
}

/** Whether the sweep runs a user's program, whose metrics are not known in advance. */
export function tracksProgram({ policy }: Sweep): boolean {
  return policy.trainer === 'command';
}
