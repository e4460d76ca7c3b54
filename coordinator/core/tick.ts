/** What time alone brings about: leases expire, attempts time out, agents are lost, retries come due. */
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { endAttempt } from './attempts.ts';
import { noteGraces } from './drain.ts';
import type { Core, Failure, Lease } from './model.ts';
import { Step } from './step.ts';
import { makeReady } from './trials.ts';

/** The part of a lease's time that may pass from one look at the clock to the next: several heartbeats fit in the rest. */
const MAX_BREAK = 1 / 4;

/**
 * A coordinator that has stood still (its machine was suspended, its disk did not answer) has heard nobody meanwhile: as
 * after a start, whoever holds a lease has its whole time to be heard again.
 * @param before when it looked at the clock last
 */
export function noteBreak(core: Core, before: number, now: number): void {
  if (now - before > core.leaseMs * MAX_BREAK) core.listeningSince = now;
}

export function onTick(core: Core, now: number): Step {
  const step = new Step();
  for (const agent of core.agents.values()) {
    if (now - Math.max(agent.lastHeardAt, core.listeningSince) > core.leaseMs) agent.state = 'lost';
  }
  for (const lease of [...core.leases.values()]) {
    const failure = overdue(core, lease, now);
    if (failure === undefined) continue;
    endAttempt(core, lease.key, { outcome: 'failed', failure }, now, step);
    step.outputs.push({
      kind: 'dismiss',
      agentId: lease.agentId,
      key: lease.key,
      refusal: { code: RefusalCode.ENDED, message: failure.message },
    });
  }
  for (const sweep of core.sweeps.values()) {
    for (let next = sweep.delayed.peek(); next !== undefined && next.readyAt <= now; next = sweep.delayed.peek()) {
      sweep.delayed.pop();
      if (next.trial.state === 'pending') makeReady(sweep, next.trial);
    }
  }
  noteGraces(core, now, step);
  return step;
}

function overdue(core: Core, lease: Lease, now: number): Failure | undefined {
  if (now >= Math.max(lease.expiresAt, core.listeningSince + core.leaseMs)) {
    return { class: 'lost', message: `nothing was heard of agent ${lease.agentId} for ${core.leaseMs / 1000} s` };
  }
  const timeoutMs = core.sweeps.get(lease.key.sweepId)?.policy.timeoutMs;
  if (timeoutMs !== undefined && now - lease.grantedAt >= timeoutMs) {
    return { class: 'timeout', message: `ran longer than the sweep's timeout of ${timeoutMs / 1000} s` };
  }
  return undefined;
}
