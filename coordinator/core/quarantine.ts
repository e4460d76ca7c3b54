/** Quarantines, probes and releases agents. */
import { backoffDelay } from '../../lib/net/backoff.ts';
import type { Agent, Quarantine } from './agent-model.ts';
import type { AttemptEnd, Lease } from './attempt-model.ts';
import { isFaulty, isQuarantinedFor } from './attribution.ts';
import { takesWork } from './drain.ts';
import { agentLeases } from './leases.ts';
import type { Core, Sweep } from './model.ts';
import { type Change, NO_STEP, type Step, stepOf } from './step.ts';

/** The time until the first probe of a quarantined agent; each failed probe doubles the time. */
const FIRST_PROBE_MS = 60_000;
const MAX_PROBE_MS = 30 * 60_000;

/** Returns the time from the start of a quarantine, or from a failed probe, to the next probe. */
export function probeDelayMs(failedProbes: number): number {
  return backoffDelay(failedProbes + 1, FIRST_PROBE_MS, MAX_PROBE_MS);
}

/** Quarantines an agent if the agent's machine causes its failures in the sweep. */
export function quarantineIfFaulty(core: Core, sweep: Sweep, agentId: string, now: number): Change[] {
  if (isQuarantinedFor(core, sweep, agentId) || !isFaulty(sweep, agentId)) return [];
  const before = core.quarantines.get(agentId);
  const trials = [...(sweep.records.get(agentId)?.failures.values() ?? [])].filter(({ refuted }) => refuted).length;
  const sweepIds = [...(before?.sweepIds ?? []), sweep.id];
  const scope = sweepIds.length > 1 ? 'all sweeps' : `sweep ${sweep.id}`;
  const reason = `${trials} trials failed early here and succeeded elsewhere`;
  const quarantine = { sweepIds, since: now, reason, failedProbes: 0, probeAt: now + probeDelayMs(0) };
  return [change(core, agentId, quarantine, `agent ${agentId} is quarantined for ${scope}: ${reason}`)];
}

/** Whether a quarantined agent may run a trial now as a probe: a probe is due, and no probe is running. */
export function isProbeDue(core: Core, agentId: string, now: number): boolean {
  const quarantine = core.quarantines.get(agentId);
  if (quarantine === undefined || now < quarantine.probeAt) return false;
  return ![...agentLeases(core, agentId)].some((lease) => isProbe(core, lease));
}

/** Whether a lease is a probe: its agent was already quarantined for the sweep when the lease was granted. */
export function isProbe(core: Core, { agentId, key, grantedAt }: Lease): boolean {
  const quarantine = core.quarantines.get(agentId);
  const sweep = core.sweeps.get(key.sweepId);
  if (quarantine === undefined || sweep === undefined) return false;
  return isQuarantinedFor(core, sweep, agentId) && grantedAt > quarantine.since;
}

/**
 * Updates the quarantine of an agent after the end of an attempt. The quarantine ends if the attempt shows that the
 * machine works. If a probe that has started ends without a success, the time of the next probe is set. If a probe is
 * returned, the next probe is due at once.
 */
export function onProbeEnd(core: Core, lease: Lease, end: AttemptEnd, now: number): Change[] {
  const { agentId } = lease;
  const quarantine = core.quarantines.get(agentId);
  if (quarantine === undefined) return [];
  const succeeded = end.outcome === 'succeeded' || end.outcome === 'stopped' || end.outcome === 'held';
  const isOver = quarantine.sweepIds.every((id) => !core.sweeps.has(id));
  if (succeeded && (isProbe(core, lease) || (quarantine.sweepIds.length === 1 && isOver))) {
    return endQuarantine(
      core,
      agentId,
      `trial ${lease.key.trialId} succeeded on agent ${agentId}: its quarantine ended`,
    );
  }
  if (end.outcome === 'returned' || !isProbe(core, lease)) return [];
  const isFailure = end.outcome === 'failed' && end.failure.class !== 'drained';
  const failedProbes = quarantine.failedProbes + (isFailure ? 1 : 0);
  const next: Quarantine = { ...quarantine, failedProbes, probeAt: now + probeDelayMs(failedProbes) };
  core.quarantines.set(agentId, next);
  return isFailure ? [change(core, agentId, next, `a probe of agent ${agentId} failed: it stays quarantined`)] : [];
}

/**
 * Ends the quarantine of an agent, and clears the agent's early failures, on a user's request. Nothing changes if the
 * agent has neither a quarantine nor early failures.
 */
export function onRelease(core: Core, { agentId }: { readonly agentId: string }): Step {
  const changes = core.quarantines.has(agentId) ? endQuarantine(core, agentId, `agent ${agentId} was released`) : [];
  for (const sweep of core.sweeps.values()) changes.push(...clearFailures(sweep, agentId));
  return changes.length === 0 ? NO_STEP : stepOf(changes);
}

function endQuarantine(core: Core, agentId: string, detail: string): Change[] {
  const ended = change(core, agentId, undefined, detail);
  return [ended, ...[...core.sweeps.values()].flatMap((sweep) => clearFailures(sweep, agentId))];
}

/** Clears the agent's early failures in a sweep. Returns the change, if there is one. */
export function clearFailures(sweep: Sweep, agentId: string): Change[] {
  const failures = sweep.records.get(agentId)?.failures;
  if (failures === undefined || failures.size === 0) return [];
  failures.clear();
  return [{ kind: 'cleared', sweepId: sweep.id, agentId }];
}

function change(core: Core, agentId: string, quarantine: Quarantine | undefined, detail: string): Change {
  const ids = quarantine?.sweepIds ?? core.quarantines.get(agentId)?.sweepIds ?? [];
  if (quarantine === undefined) core.quarantines.delete(agentId);
  else core.quarantines.set(agentId, quarantine);
  const sweepIds = ids.filter((id) => core.sweeps.has(id));
  return { kind: 'quarantine', agentId, quarantine, sweepIds, detail };
}

/**
 * Whether a quarantine excludes the agent from new trials. A quarantine has no effect if no other agent takes work. A
 * quarantine for a single sweep has no effect after that sweep has ended.
 */
export function isQuarantined(core: Core, agent: Agent): boolean {
  const quarantine = core.quarantines.get(agent.id);
  if (quarantine === undefined) return false;
  if (quarantine.sweepIds.length === 1 && !quarantine.sweepIds.some((id) => core.sweeps.has(id))) return false;
  return [...core.agents.values()].some((other) => other !== agent && takesWork(core, other));
}
