/**
 * Drains agents. A drained agent takes no new work. An agent is drained when a user requests it, and when the agent
 * shuts down.
 */
import type { Agent } from './agent-model.ts';
import type { Core } from './model.ts';
import { type Change, NO_STEP, type Step, type StoredDrain, stepOf } from './step.ts';

/**
 * The interval at which the remaining grace periods of drains are stored. A restart of the coordinator lengthens a
 * grace period by the downtime and by at most this interval.
 */
export const GRACE_STORE_INTERVAL_MS = 10_000;

export interface DrainRequest {
  readonly agentId: string;
  readonly graceMs: number;
  readonly reason: string;
  /** The name of the user who drains the agent. Default: empty. */
  readonly by?: string | undefined;
}

/** Drains an agent. A second drain replaces the grace period and the reason of the first. */
export function onDrain(core: Core, { agentId, graceMs, reason, by = '' }: DrainRequest, now: number): Step {
  core.drains.set(agentId, { graceEndsAt: now + graceMs, storedAt: now, reason, by, since: now });
  return drainStep(agentId, { graceLeftMs: graceMs, reason, by, since: now });
}

export function onUndrain(core: Core, { agentId }: Pick<DrainRequest, 'agentId'>): Step {
  return core.drains.delete(agentId) ? drainStep(agentId, undefined) : NO_STEP;
}

function drainStep(agentId: string, drain: StoredDrain | undefined): Step {
  return stepOf([{ kind: 'drain', agentId, drain, isNew: true }], [{ kind: 'drain', agentId }]);
}

/** Stores the remaining grace periods at intervals, and once when a grace period ends. */
export function storeGraces(core: Core, now: number): Change[] {
  const changes: Change[] = [];
  for (const [agentId, drain] of core.drains) {
    const { graceEndsAt, storedAt, reason, by, since } = drain;
    if (storedAt >= graceEndsAt || now < Math.min(graceEndsAt, storedAt + GRACE_STORE_INTERVAL_MS)) continue;
    drain.storedAt = now;
    const graceLeftMs = Math.max(0, graceEndsAt - now);
    changes.push({ kind: 'drain', agentId, drain: { graceLeftMs, reason, by, since }, isNew: false });
  }
  return changes;
}

/**
 * Returns the time until a drained agent hands back its running attempts, in milliseconds, or undefined if the agent is
 * not drained.
 */
export function remainingGraceMs(core: Core, agentId: string, now: number): number | undefined {
  const drain = core.drains.get(agentId);
  return drain && Math.max(0, drain.graceEndsAt - now);
}

export function isDraining(core: Core, agent: Agent): boolean {
  return agent.leaving || core.drains.has(agent.id);
}

/** Whether trials may be offered to the agent. */
export function takesWork(core: Core, agent: Agent): boolean {
  return agent.state === 'connected' && !isDraining(core, agent);
}
