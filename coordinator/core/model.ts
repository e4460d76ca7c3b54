/**
 * Defines the terms, and the state of the coordinator in memory. The state is plain data that the other files of this
 * folder change.
 *
 * - **sweep**: a submitted file, with the trials that it defines.
 * - **trial**: one point of the grid and one seed. The id of a trial is a hash of its point and seed, so the same point
 *   and seed are always the same trial.
 * - **config**: a trial's parameters without the seed. The trials of a config are its **replicates**.
 * - **attempt**: one run of a trial on one agent, numbered from 1 without gaps.
 * - **speculative attempt**: a second attempt of a trial whose first attempt is a straggler. The first of the two that
 *   succeeds supersedes the other.
 * - **fencing token**: the attempt number. Records of an attempt that no longer holds the lease are rejected.
 * - **record**: one message of an attempt (an epoch's metrics, log text, an artifact or its end), numbered from 1.
 * - **report**: a record with the metrics of one epoch.
 * - **searcher**: yields the points of a sweep one at a time (coordinator/search/searcher.ts).
 * - **agent**: the process that runs trials on one machine. Each start of the process is a new **incarnation**.
 * - **slot**: the part of an agent that runs one attempt or one pack.
 * - **pack**: trials that one slot trains together. Each trial of a pack has its own lease, records and end.
 * - **pool**: the slots that can run the same trials (pools.ts). Each pool has its own queue of offers.
 * - **offer**: an invitation on NATS to run a trial.
 * - **lease**: the right to run an attempt. A lease expires unless it is renewed.
 * - **preflight**: everything that an attempt needs before its program starts.
 * - **rung**: a step at which early stopping compares trials. The history of a rung is the scores of the trials that
 * reached the rung.
 * - **drain**: a request that an agent take no new work.
 *
 * Times are Unix milliseconds of a clock that never jumps (coordinator/app/runtime.ts); a name that ends in `Ms` is a
 * duration.
 */

import type TinyQueue from 'tinyqueue';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { MetricValues, RankingRule } from '../../lib/domain/metric-values.ts';
import type { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { GpuFigures, MachineFigures } from '../../proto/gen/trawl/v1/types.ts';
import type { Labels } from '../../proto/limits.ts';
import type {
  ArtifactKindName,
  AttemptOutcomeName,
  FailureClassName,
  SweepStateName,
  TrialStateName,
  WarningKindName,
} from '../../proto/names.ts';
import type { Curve, CurvePoint, EarlyStopRule } from '../early-stop/rule.ts';
import type { EarlyTerminate, RuleName } from '../early-stop/settings.ts';
import type { SourceState, TrialSource } from '../search/trial-source.ts';

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

/** The hardware of a slot. */
export interface SlotFacts {
  /** GPUs that the slot's worker sees. */
  readonly gpus: number;
  /** Bytes of memory on each of these GPUs. */
  readonly vramBytes: number;
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
  /** The metric that ranks the trials, and the step that its value is taken from. */
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
  readonly startedAt: number;
  /** Leases that have not ended. */
  leases: number;
}

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
  /** Whether the trial has had a speculative attempt. A manual retry resets this flag. */
  speculated: boolean;
}

interface SpeculativeOffer {
  readonly pool: string;
  offeredAt: number;
}

export type SweepState = Exclude<SweepStateName, 'interrupted'>;
/** The states of a trial in the store. `interrupted` exists for readers only. */
export type TrialState = Exclude<TrialStateName, 'interrupted'>;

export interface Sweep {
  readonly id: string;
  readonly policy: SweepPolicy;
  state: SweepState;
  /** Trials of sweeps with a higher priority are always offered first. */
  priority: number;
  readonly share: Share;
  /** The source of further trials. Undefined if the sweep creates no more trials. */
  search: Search | undefined;
  /** The total number of trials. Infinity if the search has no limit. */
  planned: number;
  /** The trials that were created. */
  readonly trials: Map<string, Trial>;
  readonly counts: Record<TrialState, number>;
  /** Trials in state `offered`. */
  readonly offers: Set<Trial>;
  /** Trials with a speculative offer or a speculative attempt beside the first attempt. */
  readonly speculations: Set<Trial>;
  /** Trials that may be offered to any agent, by index. Can contain trials that are no longer pending. */
  readonly ready: TinyQueue<Trial>;
  /** Trials that avoid agents, by `avoidKey`, then by index. Can contain trials that are no longer pending. */
  readonly readyElsewhere: Map<string, TinyQueue<Trial>>;
  /** Pending and offered trials with a failed attempt. */
  readonly retries: Set<Trial>;
  /** Pending and offered trials by `packKey`, then by index. Can contain trials that run or have ended. */
  readonly packable: Map<string, TinyQueue<Trial>>;
  /** Trials that wait for their backoff to end, by time. Can contain trials that are no longer pending. */
  readonly delayed: TinyQueue<{ readonly trial: Trial; readonly readyAt: number }>;
  /** Cache of `isEligible` by pool id. The capability of a pool and the demand of a sweep never change. */
  readonly eligible: Map<string, boolean>;
  readonly warnings: SweepWarnings;
  readonly durations: AttemptDurations;
  /** The outcomes of the sweep's trials on each agent, by agent id (attribution.ts). */
  readonly records: Map<string, AgentRecord>;
  /** The state of early stopping. Undefined if the sweep has no rule. */
  readonly earlyStopping: EarlyStopping | undefined;
  /** The failures since the last success or the last resume. */
  streak: readonly StreakFailure[];
}

/** The data that a sweep's early-stopping rule uses, such as the curves of running attempts. */
export interface EarlyStopping {
  readonly name: RuleName;
  readonly rule: EarlyStopRule;
  /** The curves of running attempts, by `keyText`. */
  readonly curves: Map<string, CurvePoint[]>;
  /** The curve of a trial up to its newest checkpoint, by trial id. */
  readonly resumable: Map<string, Curve>;
  /** The scores of each rung in ascending order. */
  readonly scores: Map<number, number[]>;
}

/** The creation of a sweep's further trials (create-trials.ts). */
interface Search {
  readonly source: TrialSource;
  state: SourceState;
}

/** The most recent durations of a group of attempts, in milliseconds. Both lists contain the same values. */
export interface RecentDurations {
  /** In order of arrival. */
  readonly arrived: number[];
  /** In ascending order. */
  readonly sorted: number[];
}

/** The recent durations of attempts that succeeded without a checkpoint. */
export interface AttemptDurations {
  readonly ofSweep: RecentDurations;
  /** By config id. The config with the newest duration is last. */
  readonly ofConfigs: Map<string, RecentDurations>;
  /** The agents on which the newest ended attempt was a straggler. */
  readonly slowAgents: Set<string>;
}

/** The outcomes of one sweep's trials on one agent. */
export interface AgentRecord {
  /** Trials that succeeded here, or were stopped early. */
  successes: number;
  /** Trials that failed early on this agent and then succeeded on another agent. */
  refuted: number;
  /** Trials that failed early here since the last success here, by id. Excludes trials that then failed or were cancelled. */
  readonly failures: Map<string, EarlyFailure>;
}

interface EarlyFailure {
  /** Trials that failed in the same pack count once. */
  readonly pack: string;
  /** Whether the trial then succeeded on another agent. */
  readonly refuted: boolean;
}

/** One of several consecutive failures. */
export interface StreakFailure {
  readonly trialId: string;
  readonly agentId: string;
  readonly early: boolean;
  /** The first line of the error, with its class. */
  readonly error: string;
}

/** A warning about a sweep, as it is displayed. */
export interface Warning {
  readonly message: string;
  /** The number of affected trials, configs or reports, depending on the kind. */
  readonly count: number;
  /** When it appeared. */
  readonly since: number;
}

/**
 * The warnings of a sweep, and the facts that they depend on (warnings.ts). Facts other than stragglers are kept for trainer
 * `command` only.
 */
export interface SweepWarnings {
  readonly shown: Map<WarningKindName, Warning>;
  /** The names of all metrics that a trial has reported, in order of their first report. */
  readonly reported: Set<string>;
  /** The metric values of trials without a result, by trial id, and of speculative attempts, by `keyText`. */
  readonly values: Map<string, MetricValues>;
  /** The results of trials that succeeded or were stopped, by trial id. */
  readonly results: Map<string, TrialResult>;
  /** Trials with a result that has no value of the ranking metric. */
  lacking: number;
  /** The trials of each config. */
  readonly configs: Map<string, Trial[]>;
  /** Configs whose replicates have identical results. */
  readonly identical: Set<string>;
  /** The reports of each running attempt so far, by `keyText`. */
  readonly progress: Map<string, ReportProgress>;
  /** Running attempts that are silent, by `keyText`. */
  readonly silent: Map<string, string>;
  /** Running attempts that are stragglers, by `keyText`. */
  readonly stragglers: Map<string, string>;
  /** The newest count of each notice kind per attempt, by `keyText`. */
  readonly notices: Map<WarningKindName, Map<string, number>>;
}

interface TrialResult {
  readonly hasRankingMetric: boolean;
  /** Equal for trials with equal values of every metric. Undefined if the trial reported no finite number. */
  readonly digest: string | undefined;
}

/** The reports of a running attempt. */
export interface ReportProgress {
  /** Time of the last report or, before that, of the grant. */
  lastAt: number;
  reported: boolean;
  /** The longest time between two reports, or from the grant to the first report. */
  longestMs: number;
  /** The first three distinct steps. */
  readonly steps: Set<number>;
}

/** A sweep's account of slot time (share.ts). */
export interface Share extends DurationEstimate {
  /** The level at which the sweep joined its peers, minus the level from its own slot time alone. */
  base: number;
  /** Slot-milliseconds of usages that have ended. */
  doneMs: number;
  /** The number of usages that have not ended. */
  activeSlots: number;
  /** The sum of the start times of the usages that have not ended. */
  startedAtSum: number;
  /** Whether the last scheduling pass found a pending trial that a connected slot could run. */
  hasDemand: boolean;
}

/** A moving average of the time for which an attempt, or a pack, occupies a slot. */
export interface DurationEstimate {
  /** Undefined until an attempt has ended. */
  meanMs: number | undefined;
}

export interface Agent {
  readonly id: string;
  incarnation: string;
  /** Identifies the agent's folder. */
  instance: string;
  /** Differs between copies of a folder. */
  location: string;
  host: string;
  version: string;
  slots: number;
  /** Number of trials that one slot can train as a pack. 1 means that the agent does not train packs. */
  pack: number;
  backend: string;
  gpus: readonly string[];
  labels: Labels;
  /** Trainers that the agent supports. */
  trainers: readonly string[];
  /** The hardware of each slot. Empty if the slots have no GPU. */
  slotFacts: readonly SlotFacts[];
  /** The pool of each slot. */
  pools: readonly string[];
  /** Measurements of the last heartbeat. The measurements are displayed, but not used in any decision. */
  gpuFigures?: readonly GpuFigures[];
  machineFigures?: MachineFigures | undefined;
  /** HOST:PORT of the agent's Prometheus metrics. Empty if it serves none. */
  metrics: string;
  /** When the agent's certificate expires; for display only. Undefined without TLS. */
  certificateExpires?: number | undefined;
  /** Whether the agent's slots form pools of their own, because some trials must not run on the agent. */
  isolated: boolean;
  state: 'connected' | 'lost' | 'left';
  /** The agent is shutting down and takes no new work. */
  leaving: boolean;
  /** Whether the stream of this incarnation has ended. A new stream begins with a hello. */
  disconnected: boolean;
  connectedAt: number;
  lastHeardAt: number;
  /** When the agent was last stored. */
  storedAt: number;
}

/** Facts about an agent that the store keeps. */
export interface AgentFacts {
  /** Empty if an older trawl stored the facts. */
  readonly instance: string;
  readonly location: string;
  readonly host: string;
  readonly version: string;
  readonly slots: number;
  readonly backend: string;
  readonly gpus: readonly string[];
  readonly state: 'connected' | 'lost' | 'left';
  readonly connectedAt: number;
  readonly lastHeardAt: number;
}

/** A user's request that an agent take no new work. */
interface Drain {
  /** Time at which the agent hands back the attempts that still run. */
  readonly graceEndsAt: number;
  /** When the remaining grace was last stored. */
  storedAt: number;
  /** The reason for display. May be empty. */
  readonly reason: string;
  /** The user who drained the agent; may be empty. */
  readonly by: string;
  /** When the agent was drained; 0 if unknown. */
  readonly since: number;
}

/**
 * An agent on which trials failed and then succeeded elsewhere. The agent runs only probes while other agents can run
 * the trials.
 */
export interface Quarantine {
  /** The sweeps whose trials failed on the agent. With two sweeps, the quarantine applies to all sweeps. */
  readonly sweepIds: readonly string[];
  readonly since: number;
  readonly reason: string;
  /** Probes that have failed. */
  readonly failedProbes: number;
  /** When the next probe may be offered. */
  readonly probeAt: number;
}

/**
 * The window of created trials of a sweep that have not started. The window is larger if the slots need more trials.
 */
export interface CreationWindow {
  readonly trials: number;
  /** The number of packs per slot that are created ahead, so that a pack has several trials to choose from. */
  readonly packsPerSlot: number;
}

export const CREATION_WINDOW: CreationWindow = { trials: 1_000, packsPerSlot: 4 };

/** The state of the coordinator. `meanMs` is the duration estimate over all sweeps. */
export interface Core extends DurationEstimate {
  /** In order of submission. */
  readonly sweeps: Map<string, Sweep>;
  readonly agents: Map<string, Agent>;
  /** By agent id. A drain survives restarts of the agent and of the coordinator. */
  readonly drains: Map<string, Drain>;
  /** Agents that have not connected since the coordinator started. No agent in this map has the state connected. */
  readonly pastAgents: Map<string, AgentFacts>;
  /** By agent id. A quarantine survives restarts of the agent and of the coordinator. */
  readonly quarantines: Map<string, Quarantine>;
  /** Every running attempt, by `keyText`. Only leases.ts changes this map. */
  readonly leases: Map<string, Lease>;
  /** The number of leases of each slot in use, by agent and slot. */
  readonly slotsInUse: Map<string, Map<number, number>>;
  /**
   * The start of the current period in which agents could reach the coordinator. Leases expire only because of silence
   * after this time.
   */
  listeningSince: number;
  /** When the coordinator started with the state of an earlier process. */
  readonly startedAt: number;
  readonly leaseMs: number;
  readonly creationWindow: CreationWindow;
}

/** @param startedAt when the coordinator started; default: long ago */
export function newCore(
  leaseMs: number,
  startedAt = Number.NEGATIVE_INFINITY,
  creationWindow: CreationWindow = CREATION_WINDOW,
): Core {
  return {
    sweeps: new Map(),
    agents: new Map(),
    drains: new Map(),
    pastAgents: new Map(),
    quarantines: new Map(),
    leases: new Map(),
    slotsInUse: new Map(),
    listeningSince: Number.NEGATIVE_INFINITY,
    startedAt,
    meanMs: undefined,
    leaseMs,
    creationWindow,
  };
}

export function isEnded(state: SweepStateName): state is 'finished' | 'stopped' | 'killed' {
  return state === 'finished' || state === 'stopped' || state === 'killed';
}
