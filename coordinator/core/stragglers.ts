/**
 * Finds stragglers: attempts that run much longer than expected. The expected duration is the median duration of the
 * succeeded attempts with the same parameters. If there are too few of them, the expected duration is predicted from
 * the parameters (lib/domain/epoch-times.ts). An attempt with a deep network or with many epochs is therefore not
 * judged by the durations of attempts with shallow networks or with few epochs.
 */
import { bisectLeft, bisectRight, median, quantileSorted } from 'd3-array';
import { keyText } from '../../lib/domain/attempt-key.ts';
import {
  type EpochTimeModel,
  epochsOf,
  fitEpochTimes,
  predictEpochTime,
  superfluousParameters,
} from '../../lib/domain/epoch-times.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import type { Lease } from './attempt-model.ts';
import { isQuarantinedFor } from './attribution.ts';
import type { Core, Sweep } from './model.ts';
import type { Change } from './step.ts';
import type { AttemptDurations, MeasuredAttempt, RecentDurations } from './sweep-observations.ts';
import type { Trial } from './trial-model.ts';
import { showStragglers } from './warnings.ts';

/** An attempt is a straggler once its duration has reached this multiple of the expected duration. */
const STRAGGLER_FACTOR = 3;
/**
 * If the expected duration is predicted from the parameters, a straggler also exceeds it by at least this many standard
 * deviations, on a logarithmic scale.
 */
const STRAGGLER_DEVIATIONS = 3;
/** The standard deviation of a normal distribution, divided by its median absolute deviation. */
const NORMAL_MAD = 1.4826;
/** An attempt counts as a straggler only if at least this many comparable attempts have succeeded. */
const COMPARABLE_ATTEMPTS = 5;
/** An attempt that has run for less than this time, in milliseconds, is no straggler. */
export const MIN_STRAGGLER_MS = 5_000;
/**
 * The maximum numbers of durations that are kept per sweep and per config. Each further duration replaces the oldest.
 */
export const KEPT_DURATIONS = { ofSweep: 500, ofConfig: 100 };
/** Durations are kept for this many configs per sweep: the configs with the most recent successes. */
export const KEPT_CONFIGS = 1_000;

const noDurations = (): RecentDurations => ({ arrived: [], sorted: [] });

export function newDurations(): AttemptDurations {
  return { ofSweep: [], ofConfigs: new Map(), slowAgents: new Set() };
}

/** Adds a duration. If there are more than `limit` durations, the oldest is removed. */
export function addDuration({ arrived, sorted }: RecentDurations, durationMs: number, limit: number): void {
  arrived.push(durationMs);
  sorted.splice(bisectRight(sorted, durationMs), 0, durationMs);
  if (arrived.length <= limit) return;
  const oldest = arrived.shift();
  if (oldest !== undefined) sorted.splice(bisectLeft(sorted, oldest), 1);
}

export interface EndedAttempt extends Pick<Lease, 'agentId' | 'resumedFrom' | 'straggler'> {
  readonly succeeded: boolean;
  readonly durationMs: number;
}

/**
 * Records the end of an attempt. The duration is kept only if the attempt succeeded and did not resume from a
 * checkpoint. If there are more than KEPT_CONFIGS configs, the config that has had no such duration for the longest
 * time is removed.
 */
export function recordDuration(
  { durations }: Sweep,
  { configId, parameters }: Pick<Trial, 'configId' | 'parameters'>,
  { agentId, resumedFrom, straggler, succeeded, durationMs }: EndedAttempt,
): void {
  if (straggler !== undefined) durations.slowAgents.add(agentId);
  if (!succeeded) return;
  if (straggler === undefined) durations.slowAgents.delete(agentId);
  if (resumedFrom > 0) return;
  const { ofSweep, ofConfigs } = durations;
  const ofConfig = ofConfigs.get(configId) ?? noDurations();
  ofSweep.push({ parameters, durationMs });
  if (ofSweep.length > KEPT_DURATIONS.ofSweep) ofSweep.shift();
  addDuration(ofConfig, durationMs, KEPT_DURATIONS.ofConfig);
  ofConfigs.delete(configId);
  ofConfigs.set(configId, ofConfig);
  if (ofConfigs.size <= KEPT_CONFIGS) return;
  const [stalest] = ofConfigs.keys();
  if (stalest !== undefined) ofConfigs.delete(stalest);
}

interface Comparison {
  readonly expectedMs: number;
  /** An attempt that has run for this time is a straggler. */
  readonly limitMs: number;
  readonly attempts: number;
  /** Whether all compared attempts belong to the config of the trial. */
  readonly sameConfig: boolean;
}

/**
 * Returns the duration that is expected of an attempt of the trial. If enough attempts of the trial's config have
 * succeeded, the expected duration is the median of their durations. Otherwise, it is predicted from the attempts of
 * the whole sweep. Returns undefined if too few attempts of the sweep have succeeded.
 */
function comparisonFor({ durations }: Sweep, { configId, parameters }: Trial): Comparison | undefined {
  const ofConfig = durations.ofConfigs.get(configId)?.sorted ?? [];
  if (ofConfig.length >= COMPARABLE_ATTEMPTS) {
    const expectedMs = quantileSorted(ofConfig, 0.5) ?? 0;
    return { expectedMs, limitMs: STRAGGLER_FACTOR * expectedMs, attempts: ofConfig.length, sameConfig: true };
  }
  const { ofSweep } = durations;
  if (ofSweep.length < COMPARABLE_ATTEMPTS) return undefined;
  const { model, middle, deviation } = predictionOf(ofSweep);
  const { logMs, unknown } = predictEpochTime(model, parameters);
  const expectedMs = Math.round(Math.exp(logMs + middle) * (epochsOf(parameters) ?? 1));
  const factor = Math.max(STRAGGLER_FACTOR, Math.exp(STRAGGLER_DEVIATIONS * deviation));
  const limitMs = factor * Math.exp(STRAGGLER_DEVIATIONS * unknown) * expectedMs;
  return { expectedMs, limitMs, attempts: ofSweep.length, sameConfig: false };
}

interface Prediction {
  readonly newest: MeasuredAttempt | undefined;
  readonly model: EpochTimeModel;
  /**
   * The median and the standard deviation of the model's residuals, which are logarithms. The standard deviation is
   * estimated from the median absolute deviation, so a single slow attempt has little effect on either value.
   */
  readonly middle: number;
  readonly deviation: number;
}

/**
 * A cache of predictions, by the list of attempts that each prediction is based on. A prediction is valid until the
 * next attempt is added to its list.
 */
const predictions = new WeakMap<readonly MeasuredAttempt[], Prediction>();

function predictionOf(measured: readonly MeasuredAttempt[]): Prediction {
  const known = predictions.get(measured);
  const newest = measured.at(-1);
  if (known !== undefined && known.newest === newest) return known;
  const times = measured.map(({ parameters, durationMs }) => ({
    parameters,
    logMs: Math.log(Math.max(1, durationMs) / (epochsOf(parameters) ?? 1)),
  }));
  const model = fitEpochTimes(times, superfluousParameters(times));
  const middle = median(model.residuals) ?? 0;
  const deviation = NORMAL_MAD * (median(model.residuals, (residual) => Math.abs(residual - middle)) ?? 0);
  const prediction = { newest, model, middle, deviation };
  predictions.set(measured, prediction);
  return prediction;
}

/**
 * Finds running attempts that have become stragglers. Each straggler is found once. For one lease duration after an
 * outage of the coordinator, no straggler is found, because agents may still report attempts that ended during the
 * outage.
 */
export function findStragglers(core: Core, now: number): Change[] {
  if (now - core.listeningSince < core.leaseMs) return [];
  const changes: Change[] = [];
  const affected = new Set<Sweep>();
  // The loop runs four times per second over all leases, so the cheap checks are first.
  if (![...core.sweeps.values()].some(({ durations }) => durations.ofSweep.length > 0)) return [];
  for (const lease of core.leases.values()) {
    const elapsedMs = now - (lease.usage.startedAt ?? now);
    if (elapsedMs < MIN_STRAGGLER_MS || lease.straggler !== undefined) continue;
    const sweep = core.sweeps.get(lease.key.sweepId);
    if (sweep === undefined || sweep.durations.ofSweep.length === 0) continue;
    const trial = sweep.trials.get(lease.key.trialId);
    if (trial === undefined) continue;
    const comparison = comparisonFor(sweep, trial);
    if (comparison === undefined || elapsedMs < comparison.limitMs) continue;
    lease.straggler = describe(lease, elapsedMs, comparison);
    sweep.warnings.stragglers.set(keyText(lease.key), lease.straggler);
    changes.push({ kind: 'straggler', key: lease.key, detail: lease.straggler });
    affected.add(sweep);
  }
  for (const sweep of affected) changes.push(...showStragglers(sweep, now));
  return changes;
}

function describe({ key, agentId }: Lease, elapsedMs: number, comparison: Comparison): string {
  const { expectedMs, attempts, sameConfig } = comparison;
  const expected = formatSpan(expectedMs);
  const compared = sameConfig
    ? `the median duration of ${attempts} succeeded attempts with the same parameters is ${expected}`
    : `${expected} is the expected duration for its parameters, estimated from ${attempts} succeeded attempts of the sweep`;
  return `attempt ${key.attempt} of trial ${key.trialId} on agent ${agentId} has run for ${formatSpan(elapsedMs)}; ${compared}`;
}

/** Returns the trials that need a second attempt. The trials whose attempts became stragglers first come first. */
export function speculationCandidates(core: Core, sweep: Sweep): Trial[] {
  if (!sweep.policy.speculate || sweep.state !== 'running') return [];
  return [...sweep.warnings.stragglers.keys()].flatMap((name) => {
    const lease = core.leases.get(name);
    const trial = lease && sweep.trials.get(lease.key.trialId);
    return trial !== undefined && trial.lease === lease && !trial.speculated && !trial.dropped ? trial : [];
  });
}

/**
 * Whether an agent must not run speculative attempts of the sweep, because the agent is slow, is quarantined, or has
 * early failures.
 */
export function isUnsuitable(core: Core, sweep: Sweep, agentId: string): boolean {
  if (sweep.durations.slowAgents.has(agentId) || isQuarantinedFor(core, sweep, agentId)) return true;
  if ((sweep.records.get(agentId)?.failures.size ?? 0) > 0) return true;
  return [...sweep.warnings.stragglers.keys()].some((name) => core.leases.get(name)?.agentId === agentId);
}
