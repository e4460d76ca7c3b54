import type { MetricValues } from '../../lib/domain/metric-values.ts';
import type { WarningKindName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import type { PromotionRung } from '../early-stop/promotion.ts';
import type { Curve, CurvePoint, EarlyStopRule } from '../early-stop/rule.ts';
import type { PopulationSettings, RuleName } from '../early-stop/settings.ts';
import type { CurveDigest } from './curve-digest.ts';

/** The data that a sweep's early-stopping rule uses, such as the curves of running attempts. */
export interface EarlyStopping {
  readonly name: RuleName;
  readonly rule: EarlyStopRule;
  /** The curves of running attempts, by `keyText`. */
  readonly curves: Map<string, CurvePoint[]>;
  /** The curve of each trial up to its newest checkpoint, by trial id. */
  readonly resumable: Map<string, Curve>;
  /** The scores of each rung in ascending order. */
  readonly scores: Map<number, number[]>;
  /** The state of the promotion variant of asha. Undefined for other rules. */
  readonly promotion: Promotion | undefined;
  /** The state of population based training. Undefined for other rules. */
  readonly population: Population | undefined;
}

/** The state of population based training (population.ts). */
export interface Population {
  readonly settings: PopulationSettings;
  /** The rung of the last comparison of the members; 0 before the first comparison. */
  compared: number;
  /** The ids of failed members that have not been replaced. */
  readonly vacant: Set<string>;
}

/** The state of the promotion variant of asha. */
export interface Promotion {
  readonly eta: number;
  readonly rungs: Map<number, PromotionRung>;
}

/**
 * The most recent durations of a group of attempts, in milliseconds. `arrived` and `sorted` contain the same values.
 */
export interface RecentDurations {
  /** The durations, oldest first. */
  readonly arrived: number[];
  /** In ascending order. */
  readonly sorted: number[];
}

/** The parameters and the duration of an attempt that started from scratch and succeeded. */
export interface MeasuredAttempt {
  readonly parameters: Parameters;
  readonly durationMs: number;
}

/** The recent durations of attempts that started from scratch and succeeded. */
export interface AttemptDurations {
  /** In order of arrival. */
  readonly ofSweep: MeasuredAttempt[];
  /** By config id. The config with the newest duration is last. */
  readonly ofConfigs: Map<string, RecentDurations>;
  /**
   * The ids of the agents on which a straggler has ended. An agent is removed when an attempt that is not a straggler
   * succeeds on it.
   */
  readonly slowAgents: Set<string>;
}

/** The outcomes of one sweep's trials on one agent. */
export interface AgentRecord {
  /** The number of trials that succeeded on the agent or were stopped early. */
  successes: number;
  /** The number of trials that failed early on this agent and then succeeded on another agent. */
  refuted: number;
  /**
   * The trials that failed early on the agent, by id. The map is cleared when any trial of the sweep succeeds, is
   * stopped early or is held on the agent. It is also cleared when the agent's quarantine ends, and when a user
   * releases the agent. A single trial is removed when it ends as failed or cancelled.
   */
  readonly failures: Map<string, EarlyFailure>;
}

interface EarlyFailure {
  /** The pack of the failed attempt. Trials that failed in the same pack count once. */
  readonly pack: string;
  /** Whether the trial later succeeded on another agent. */
  readonly refuted: boolean;
}

/** One of several consecutive failures. */
export interface ConsecutiveFailure {
  readonly trialId: string;
  readonly agentId: string;
  readonly early: boolean;
  /** The number of agents on which the trial had failed early since its last manual retry. */
  readonly earlyAgents: number;
  /** The class and the first line of the error. */
  readonly error: string;
}

/** A warning about a sweep, as shown to users. */
export interface Warning {
  readonly message: string;
  /** The number of affected trials, attempts, configs, reports or failures, depending on the kind of the warning. */
  readonly count: number;
  /** The time when the warning appeared. */
  readonly since: number;
}

/**
 * The warnings of a sweep, and the facts that the warnings depend on (warnings.ts). All facts except stragglers and
 * notices are kept only for the trainer `command`.
 */
export interface SweepWarnings {
  readonly shown: Map<WarningKindName, Warning>;
  /** The names of the metrics that the trials have reported, in order of their first report, up to a maximum number. */
  readonly reported: Set<string>;
  /**
   * The metric values of trials that have no result yet. The key is the trial id or, for the values of a speculative
   * attempt, the `keyText` of the attempt.
   */
  readonly values: Map<string, MetricValues>;
  /** The number of trials with a result that lacks the ranking metric. */
  lacking: number;
  /** The results of the configs that have trials in memory, by config id. */
  readonly configs: Map<string, ConfigResults>;
  readonly identical: IdenticalConfigs;
  /** A summary of the reports of each running attempt, by `keyText`. */
  readonly progress: Map<string, ReportProgress>;
  /** For each running attempt whose program is silent, the text of the warning, by `keyText`. */
  readonly silent: Map<string, string>;
  /** For each running attempt that is a straggler, the text of the warning, by `keyText`. */
  readonly stragglers: Map<string, string>;
  readonly notices: Map<WarningKindName, NoticeCounts>;
}

/** The results of the trials of one config. */
export interface ConfigResults {
  /** The number of trials of the config that have not ended. */
  live: number;
  /** The number of trials of the config with a result. */
  results: number;
  /**
   * The digest of the results while all results are equal. Undefined if the results differ, or if a trial
   * reported no finite number.
   */
  digest: string | undefined;
  /** Whether the config is counted in `IdenticalConfigs`. */
  isIdentical: boolean;
}

/** Counts the configs whose replicates have identical results. */
interface IdenticalConfigs {
  count: number;
  /** Some of these configs, by config id, each with the number of its identical replicates. */
  readonly examples: Map<string, number>;
}

/** The counts that attempts have sent in warnings of one kind (notices). */
export interface NoticeCounts {
  /** The newest count that each running attempt has sent, by `keyText`. */
  readonly running: Map<string, number>;
  /** The sum of the last counts that the ended attempts had sent. */
  ended: number;
}

/** A summary of the reports of a running attempt. */
export interface ReportProgress {
  /** The time of the last report. Before the first report, the time of the grant. */
  lastAt: number;
  reported: boolean;
  /** The longest time between two reports, or from the grant to the first report. */
  longestMs: number;
  /** The first three distinct steps that the attempt reported. */
  readonly steps: Set<number>;
  /** The digest of the attempt's reports (curve-digest.ts). */
  curve: CurveDigest;
}
