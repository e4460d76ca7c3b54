/** Applies the effects of time: leases expire, attempts time out, agents are lost, and retries become due. */
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { endAttempt } from './attempt-ends.ts';
import type { Failure, Lease } from './attempt-model.ts';
import { closeSilent } from './closing-attempts.ts';
import { storeGraces } from './drain.ts';
import type { Core } from './model.ts';
import { updateAgents } from './past-agents.ts';
import { combine, type Step, stepOf } from './step.ts';
import { findStragglers } from './stragglers.ts';
import { makeReady } from './trials.ts';
import { onSilence } from './warnings.ts';

/**
 * A gap between two ticks counts as an outage if the gap exceeds this fraction of the lease duration. After a shorter
 * gap, enough of the lease duration is left for several heartbeats.
 */
const MAX_TICK_GAP = 1 / 4;

/**
 * Records an outage of the coordinator itself if the last tick was too long ago, for example because the machine was
 * suspended or the disk did not respond. The coordinator received no heartbeats during the outage, so every lease is
 * extended to its full duration from now, as after a restart of the coordinator.
 * @param lastTickAt the time of the previous tick
 */
export function recordOutage(core: Core, lastTickAt: number, now: number): void {
  if (now - lastTickAt > core.leaseMs * MAX_TICK_GAP) core.listeningSince = now;
}

export function onTick(core: Core, now: number): Step {
  const steps: Step[] = [stepOf(updateAgents(core, now)), ...endOverdue(core, now)];
  for (const sweep of core.sweeps.values()) {
    for (let next = sweep.delayed.peek(); next !== undefined && next.readyAt <= now; next = sweep.delayed.peek()) {
      sweep.delayed.pop();
      if (next.trial.state === 'pending') makeReady(sweep, next.trial);
    }
    for (const trial of sweep.retries) {
      if (trial.avoidUntil === 0 || trial.avoidUntil > now) continue;
      trial.avoidUntil = 0;
      if (trial.state === 'pending' && trial.readyAt <= now) makeReady(sweep, trial);
    }
  }
  return combine([
    ...steps,
    ...closeSilent(core, now),
    stepOf([...storeGraces(core, now), ...onSilence(core, now), ...findStragglers(core, now)]),
  ]);
}

/** Ends the attempts whose leases have expired, and the attempts that have exceeded the timeout of their sweep. */
function endOverdue(core: Core, now: number): Step[] {
  const timeouts = timeoutsOf(core);
  if (timeouts.size === 0 && now < core.nextExpiryAt) return [];
  const steps: Step[] = [];
  for (const lease of [...core.leases.values()]) {
    const failure = expiryOf(core, timeouts, lease, now);
    if (failure === undefined) continue;
    const { agentId, key } = lease;
    const refusal = { code: RefusalCode.ENDED, message: failure.message };
    steps.push(
      endAttempt(core, { key, end: { outcome: 'failed', failure } }, now),
      stepOf([], [{ kind: 'revoke', agentId, key, refusal }]),
    );
  }
  core.nextExpiryAt = nextExpiry(core, now);
  return steps;
}

/** Returns a time before which no lease expires, not even a lease that is granted from now on. */
function nextExpiry({ leases, listeningSince, leaseMs }: Core, now: number): number {
  let earliest = now + leaseMs;
  for (const { expiresAt } of leases.values()) earliest = Math.min(earliest, expiresAt);
  return Math.max(earliest, listeningSince + leaseMs);
}

/** Returns the timeouts of the sweeps in milliseconds, by sweep id. A sweep without a timeout has no entry. */
function timeoutsOf(core: Core): ReadonlyMap<string, number> {
  const timeouts = new Map<string, number>();
  for (const { id, policy } of core.sweeps.values()) {
    if (policy.timeoutMs !== undefined) timeouts.set(id, policy.timeoutMs);
  }
  return timeouts;
}

function expiryOf(core: Core, timeouts: ReadonlyMap<string, number>, lease: Lease, now: number): Failure | undefined {
  if (now >= Math.max(lease.expiresAt, core.listeningSince + core.leaseMs)) {
    return { class: 'lost', message: `agent ${lease.agentId} was not heard from for ${core.leaseMs / 1000} s` };
  }
  const timeoutMs = timeouts.size === 0 ? undefined : timeouts.get(lease.key.sweepId);
  const { startedAt } = lease.usage;
  if (timeoutMs === undefined || startedAt === undefined) return undefined;
  // The attempt may have ended before its timeout, during an outage of the coordinator. The agent then has one lease
  // duration after the outage to report this.
  const reportableUntil = startedAt < core.listeningSince ? core.listeningSince + core.leaseMs : startedAt;
  if (now >= Math.max(startedAt + timeoutMs, reportableUntil)) {
    return { class: 'timeout', message: `exceeded the sweep's timeout of ${timeoutMs / 1000} s` };
  }
  return undefined;
}
