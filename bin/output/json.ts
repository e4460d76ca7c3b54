import { attemptStartMs, attemptState } from '../../lib/domain/attempt-state.ts';
import { fromWire } from '../../lib/domain/parameters.ts';
import { objectivesOf } from '../../lib/domain/ranking.ts';
import { endedTotal, isUpperBound, trialsToCome, trialTotal } from '../../lib/domain/trial-state.ts';
import {
  type Agent,
  type Artifact,
  type Attempt,
  type Config,
  type Failure,
  type GpuFigures,
  type MachineFigures,
  type Metric,
  MetricAt,
  type ProgramStart,
  type Quarantine,
  type Report,
  type Spread,
  type Sweep,
  type Trial,
  type TrialCounts,
} from '../../proto/gen/trawl/v1/types.ts';
import {
  agentState,
  artifactKind,
  type FailureClassName,
  failureClass,
  goal,
  sweepState,
  type TrialStateName,
  trialState,
} from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { isoTime, secondsBetween } from './format.ts';
import { runningEstimate, wholeEstimateJson } from './sweep-estimate.ts';
import { warningJson } from './warnings.ts';

export interface FailureJson {
  readonly class: FailureClassName;
  readonly message: string;
}

/** A trial as printed with `-o json`. A metric that is not a finite number is null. */
export interface TrialJson {
  readonly trial: string;
  readonly config: string;
  readonly sweep: string;
  /** Position in the order of the sweep's trials, from 0. */
  readonly index: number;
  readonly state: TrialStateName;
  /**
   * The rank by the requested metric or by several objectives, counted from 1. Null if the trial has no value, if it
   * failed, was cancelled or is held, or if the current version of the sweep file lacks the trial's point.
   */
  readonly rank: number | null;
  /** The number of the trial's nondominated front, from 1. Undefined unless several objectives rank the trials. */
  readonly front?: number | undefined;
  readonly parameters: Parameters;
  readonly seed: number;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number | null>>;
  /** For each metric, the step at which its value was reported. */
  readonly metric_steps: Readonly<Record<string, number>>;
  readonly attempts: number;
  readonly agent: string | null;
  readonly backend: string | null;
  readonly failure: FailureJson | null;
  /** The rule that stopped or holds the trial, and the reason. Null if no rule stopped or holds the trial. */
  readonly stop_reason: string | null;
  /** The trial whose checkpoint this trial started from (method pbt). Absent for a trial that started from scratch. */
  readonly parent?: string | undefined;
  /** The epoch of the parent's checkpoint. */
  readonly parent_epoch?: number | undefined;
  /** The trial that this trial replaced in its population. */
  readonly replaces?: string | undefined;
  /**
   * The version of the sweep file that dropped the trial's point. Null if the current version of the sweep file
   * contains the point.
   */
  readonly dropped_in: number | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  /**
   * The total time for which the attempts of the trial held their leases, in seconds. Time for which an attempt was
   * queued in a slot does not count. Null until the trial ends, and if the time is zero.
   */
  readonly seconds: number | null;
}

function metricsJson(metrics: Readonly<Record<string, number>>): Record<string, number | null> {
  const entries = Object.entries(sortedByName(metrics));
  return Object.fromEntries(entries.map(([name, value]) => [name, Number.isFinite(value) ? value : null]));
}

function sortedByName(values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function failureJson(failure: Failure | undefined): FailureJson | null {
  return failure === undefined ? null : { class: failureClass.of(failure.class), message: failure.message };
}

export function trialJson(trial: Trial): TrialJson {
  return {
    trial: trial.id,
    config: trial.configId,
    sweep: trial.sweepId,
    index: trial.index,
    state: trialState.of(trial.state),
    rank: trial.rank === 0 ? null : trial.rank,
    front: trial.front,
    parameters: fromWire(trial.parameters),
    seed: trial.seed,
    epoch: trial.epoch,
    metrics: metricsJson(trial.metrics),
    metric_steps: sortedByName(trial.metricSteps),
    attempts: trial.attempts,
    agent: trial.agentId || null,
    backend: trial.backend || null,
    failure: failureJson(trial.failure),
    stop_reason: trial.stopReason || null,
    parent: trial.origin?.parent,
    parent_epoch: trial.origin?.epoch,
    replaces: trial.origin?.replaces,
    dropped_in: trial.droppedIn || null,
    started_at: isoTime(trial.startedAtMs),
    ended_at: isoTime(trial.endedAtMs),
    seconds: trial.endedAtMs > 0 && trial.leasedMs > 0 ? trial.leasedMs / 1000 : null,
  };
}

export function attemptJson(attempt: Attempt) {
  return {
    number: attempt.number,
    agent: attempt.agentId,
    slot: attempt.slot,
    backend: attempt.backend || null,
    resumed_from: attempt.resumedFrom,
    speculative: attempt.speculative,
    outcome: attemptState(attempt),
    failure: failureJson(attempt.failure),
    granted_at: isoTime(attempt.grantedAtMs),
    started_at: isoTime(attemptStartMs(attempt)),
    ended_at: isoTime(attempt.endedAtMs),
    seconds: secondsBetween(attemptStartMs(attempt), attempt.endedAtMs),
  };
}

export function reportJson(report: Report) {
  return {
    attempt: report.attempt,
    epoch: report.epoch,
    at: isoTime(report.atMs),
    metrics: metricsJson(report.metrics),
  };
}

/** A config as printed with `-o json`, aggregated over its replicates. */
export interface ConfigJson {
  readonly config: string;
  /**
   * The rank by the mean of the requested metric or by several objectives, counted from 1. Null if the config has no
   * value.
   */
  readonly rank: number | null;
  /** The number of the config's nondominated front, from 1. Undefined unless several objectives rank the configs. */
  readonly front?: number | undefined;
  readonly parameters: Parameters;
  /** Number of the config's trials per state. */
  readonly counts: Readonly<Partial<Record<keyof TrialCounts, number>>>;
  /**
   * The mean and the standard deviation of each metric over the replicates with a result. If no replicate has a result,
   * the running replicates are used. `left_out` counts the replicates that are not included because early stopping cut
   * them off.
   */
  readonly metrics: Readonly<Record<string, Spread>>;
  readonly left_out: number;
  /** The ids of the config's trials, in the order of the trials' seeds. */
  readonly trials: readonly string[];
}

export function configJson({ id, rank, front, parameters, counts, metrics, leftOut, trialIds }: Config): ConfigJson {
  return {
    config: id,
    rank: rank === 0 ? null : rank,
    front,
    parameters: fromWire(parameters),
    counts: counts ?? {},
    metrics: Object.fromEntries(Object.entries(metrics).sort(([a], [b]) => (a < b ? -1 : 1))),
    left_out: leftOut,
    trials: trialIds,
  };
}

const atName = ({ at }: Metric): 'last' | 'best' => (at === MetricAt.BEST ? 'best' : 'last');

/** Returns a sweep as printed with `-o json`. */
export function sweepJson(sweep: Sweep) {
  return {
    sweep: sweep.id,
    name: sweep.name,
    state: sweepState.of(sweep.state),
    reason: sweep.reason || null,
    state_since: isoTime(sweep.stateSinceMs),
    state_by: sweep.stateBy || null,
    blocked: sweep.blocked || null,
    trainer: sweep.trainer,
    metric:
      sweep.metric === undefined
        ? null
        : { name: sweep.metric.name, goal: goal.of(sweep.metric.goal), at: atName(sweep.metric) },
    ...(sweep.objectives.length === 0 ? {} : { metrics: objectivesOf(sweep) }),
    trials: trialTotal(sweep),
    at_most: isUpperBound(sweep) || undefined,
    trials_to_come: Number.isFinite(trialsToCome(sweep)) ? trialsToCome(sweep) : null,
    configs: sweep.configs,
    replicates: sweep.replicates,
    priority: sweep.priority,
    weight: sweep.weight,
    counts: sweep.counts ?? null,
    axes: sweep.axes,
    warnings: sweep.warnings.map(warningJson),
    fingerprint: sweep.fingerprint,
    submitted_by: sweep.submittedBy || null,
    version: sweep.version ?? 1,
    created_at: isoTime(sweep.createdAtMs),
    ended_at: isoTime(sweep.endedAtMs),
    seconds: secondsBetween(sweep.createdAtMs, sweep.endedAtMs),
    slot_seconds: (sweep.slotTime?.slotMs ?? 0) / 1000,
    gpu_seconds: (sweep.slotTime?.gpuMs ?? 0) / 1000,
    seconds_left: timeLeftJson(sweep),
    estimate: estimateJson(sweep),
  };
}

function estimateJson(sweep: Sweep) {
  const estimate = runningEstimate(sweep, Date.now());
  return estimate === undefined ? null : { ...wholeEstimateJson(estimate), ended_trials: endedTotal(sweep) };
}

function timeLeftJson({ timeLeft }: Sweep) {
  if (timeLeft === undefined) return null;
  const { expectedMs, lowMs, highMs } = timeLeft;
  return { expected: expectedMs / 1000, low: lowMs / 1000, high: highMs / 1000 };
}

/** Returns an agent as printed with `-o json`. */
export function agentJson(agent: Agent) {
  return {
    agent: agent.id,
    host: agent.host,
    state: agentState.of(agent.state),
    drain_reason: agent.drainReason || null,
    drained_by: agent.drainedBy || null,
    drained_since: isoTime(agent.drainedSinceMs),
    quarantine: agent.quarantine === undefined ? null : quarantineJson(agent.quarantine),
    slots: agent.slots,
    busy: agent.busy,
    backend: agent.backend || null,
    gpus: agent.gpus,
    labels: agent.labels,
    slot_vram_bytes: agent.slotVramBytes,
    gpu_figures: agent.gpuFigures.map(gpuJson),
    machine_figures: agent.machineFigures === undefined ? null : machineJson(agent.machineFigures),
    pack: agent.pack,
    version: agent.version,
    connected_at: isoTime(agent.connectedAtMs),
    last_heartbeat_at: isoTime(agent.lastHeartbeatMs),
    certificate_expires_at: isoTime(agent.certificateExpiresMs),
  };
}

function quarantineJson({ sweepIds, reason, sinceMs, failedProbes, probeInMs }: Quarantine) {
  return {
    sweeps: sweepIds.length === 0 ? 'all' : sweepIds,
    reason,
    since: isoTime(sinceMs),
    failed_probes: failedProbes,
    next_probe_ms: probeInMs,
  };
}

function gpuJson({ index, ...figures }: GpuFigures) {
  return {
    index,
    utilization: figures.utilization ?? null,
    memory_used_bytes: figures.memoryUsedBytes ?? null,
    memory_total_bytes: figures.memoryTotalBytes ?? null,
    temperature_celsius: figures.temperatureCelsius ?? null,
    power_watts: figures.powerWatts ?? null,
  };
}

function machineJson(figures: MachineFigures) {
  return {
    cpu: figures.cpu ?? null,
    memory_used_bytes: figures.memoryUsedBytes ?? null,
    memory_total_bytes: figures.memoryTotalBytes ?? null,
    disk_free_bytes: figures.diskFreeBytes ?? null,
    disk_total_bytes: figures.diskTotalBytes ?? null,
  };
}

/** Returns how the program of an attempt was started, as printed with `-o json`. */
export function programJson({ attempt, command, interpreter, python, packages }: ProgramStart) {
  const list = packages === '' ? [] : packages.split('\n');
  return { attempt, command, interpreter: interpreter || null, python: python || null, packages: list };
}

/** Returns an artifact as printed with `-o json`. `epoch` is null for an artifact without an epoch. */
export function artifactJson({ attempt, name, kind, epoch, size, sha256, atMs }: Artifact) {
  return {
    name,
    kind: artifactKind.of(kind),
    attempt,
    epoch: epoch === 0 ? null : epoch,
    bytes: size,
    sha256,
    at: isoTime(atMs) ?? null,
  };
}
