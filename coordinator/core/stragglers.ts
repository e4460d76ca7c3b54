/** Finds stragglers: attempts that run much longer than comparable attempts did. */
import { bisectLeft, bisectRight, quantileSorted } from 'd3-array';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import type { Lease } from './attempt-model.ts';
import { isQuarantinedFor } from './attribution.ts';
import type { Core, Sweep } from './model.ts';
import type { Change } from './step.ts';
import type { AttemptDurations, RecentDurations } from './sweep-observations.ts';
import type { Trial } from './trial-model.ts';
import { showStragglers } from './warnings.ts';

/** An attempt is a straggler once it has run this many times as long as the median of comparable attempts. */
const STRAGGLER_FACTOR = 3;
/** The minimum number of comparable attempts that must have succeeded. */
const COMPARABLE_ATTEMPTS = 5;
/** An attempt that has run for less than this time, in milliseconds, is no straggler. */
export const MIN_STRAGGLER_MS = 5_000;
/** The number of durations that are kept per sweep and per config. Each new duration replaces the oldest. */
export const KEPT_DURATIONS = { ofSweep: 1_000, ofConfig: 100 };
/** Durations are kept for this many configs per sweep: the configs with the most recent successes. */
export const KEPT_CONFIGS = 1_000;

const noDurations = (): RecentDurations => ({ arrived: [], sorted: [] });

export function newDurations(): AttemptDurations {
  return { ofSweep: noDurations(), ofConfigs: new Map(), slowAgents: new Set() };
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
 * checkpoint. If there are more than KEPT_CONFIGS configs, the config with the oldest success is removed.
 */
export function recordDuration(
  { durations }: Sweep,
  { configId }: Pick<Trial, 'configId'>,
  { agentId, resumedFrom, straggler, succeeded, durationMs }: EndedAttempt,
): void {
  if (straggler !== undefined) durations.slowAgents.add(agentId);
  if (!succeeded) return;
  if (straggler === undefined) durations.slowAgents.delete(agentId);
  if (resumedFrom > 0) return;
  const { ofSweep, ofConfigs } = durations;
  const ofConfig = ofConfigs.get(configId) ?? noDurations();
  addDuration(ofSweep, durationMs, KEPT_DURATIONS.ofSweep);
  addDuration(ofConfig, durationMs, KEPT_DURATIONS.ofConfig);
  ofConfigs.delete(configId);
  ofConfigs.set(configId, ofConfig);
  if (ofConfigs.size <= KEPT_CONFIGS) return;
  const [stalest] = ofConfigs.keys();
  if (stalest !== undefined) ofConfigs.delete(stalest);
}

interface Comparison {
  readonly medianMs: number;
  readonly attempts: number;
  /** Whether all compared attempts belong to the config of the trial. */
  readonly sameConfig: boolean;
}

/**
 * Returns what an attempt of the trial is compared with: the attempts of its config if enough of them have succeeded,
 * otherwise those of the whole sweep. Undefined if too few attempts have succeeded.
 */
function comparisonFor({ durations }: Sweep, { configId }: Trial): Comparison | undefined {
  const ofConfig = durations.ofConfigs.get(configId)?.sorted ?? [];
  const sameConfig = ofConfig.length >= COMPARABLE_ATTEMPTS;
  const sorted = sameConfig ? ofConfig : durations.ofSweep.sorted;
  if (sorted.length < COMPARABLE_ATTEMPTS) return undefined;
  return { medianMs: quantileSorted(sorted, 0.5) ?? 0, attempts: sorted.length, sameConfig };
}

/**
 * Finds running attempts that have become stragglers. Each straggler is found once. For one lease duration after an
 * outage of the coordinator, no straggler is found, because agents can still report attempts that ended during the
 * outage.
 */
export function findStragglers(core: Core, now: number): Change[] {
  if (now - core.listeningSince < core.leaseMs) return [];
  const changes: Change[] = [];
  const affected = new Set<Sweep>();
  for (const lease of core.leases.values()) {
    const sweep = core.sweeps.get(lease.key.sweepId);
    const trial = sweep?.trials.get(lease.key.trialId);
    if (sweep === undefined || trial === undefined || lease.straggler !== undefined) continue;
    const elapsedMs = now - lease.grantedAt;
    if (elapsedMs < MIN_STRAGGLER_MS) continue;
    const comparison = comparisonFor(sweep, trial);
    if (comparison === undefined || elapsedMs < STRAGGLER_FACTOR * comparison.medianMs) continue;
    lease.straggler = describe(lease, elapsedMs, comparison);
    sweep.warnings.stragglers.set(keyText(lease.key), lease.straggler);
    changes.push({ kind: 'straggler', key: lease.key, detail: lease.straggler });
    affected.add(sweep);
  }
  for (const sweep of affected) changes.push(...showStragglers(sweep, now));
  return changes;
}

function describe({ key, agentId }: Lease, elapsedMs: number, { medianMs, attempts, sameConfig }: Comparison): string {
  const compared = sameConfig ? 'with the same parameters' : 'of the sweep';
  return (
    `attempt ${key.attempt} of trial ${key.trialId} on agent ${agentId} has run for ${formatSpan(elapsedMs)}; ` +
    `the median of ${attempts} succeeded attempts ${compared} is ${formatSpan(medianMs)}`
  );
}

/** Returns the trials that need a second attempt, the longest-standing stragglers first. */
export function speculationCandidates(core: Core, sweep: Sweep): Trial[] {
  if (!sweep.policy.speculate || sweep.state !== 'running') return [];
  return [...sweep.warnings.stragglers.keys()].flatMap((name) => {
    const lease = core.leases.get(name);
    const trial = lease && sweep.trials.get(lease.key.trialId);
    return trial !== undefined && trial.lease === lease && !trial.speculated && !trial.dropped ? trial : [];
  });
}

/** Whether an agent must not run speculative attempts of the sweep, because the agent itself is slow or suspect. */
export function isUnsuitable(core: Core, sweep: Sweep, agentId: string): boolean {
  if (sweep.durations.slowAgents.has(agentId) || isQuarantinedFor(core, sweep, agentId)) return true;
  if ((sweep.records.get(agentId)?.failures.size ?? 0) > 0) return true;
  return [...sweep.warnings.stragglers.keys()].some((name) => core.leases.get(name)?.agentId === agentId);
}
