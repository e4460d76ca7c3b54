/** Agents are drained, and take work again. */
import type { AgentStateName } from '../../proto/names.ts';
import { busySlots, isDraining } from './leases.ts';
import type { Agent, Core } from './model.ts';
import { Step, type StoredDrain } from './step.ts';

/** How often the store is told what is left of a grace: so much of it may a restart give once more. */
export const NOTE_EVERY_MS = 10_000;

/** A second drain replaces the first: its grace and its reason count. */
export function onDrain(
  core: Core,
  agentId: string,
  { graceMs, reason }: { readonly graceMs: number; readonly reason: string },
  now: number,
): Step {
  core.drains.set(agentId, { graceEndsAt: now + graceMs, notedAt: now, reason });
  return changed(agentId, { graceLeftMs: graceMs, reason });
}

export function onUndrain(core: Core, agentId: string): Step {
  return core.drains.delete(agentId) ? changed(agentId, undefined) : new Step();
}

function changed(agentId: string, drain: StoredDrain | undefined): Step {
  const step = new Step();
  step.changes.push({ kind: 'drain', agentId, drain });
  step.outputs.push({ kind: 'drain', agentId });
  return step;
}

/** Has the store know what is left of the graces that run, now and then, and once when one is over. */
export function noteGraces(core: Core, now: number, step: Step): void {
  for (const [agentId, drain] of core.drains) {
    const { graceEndsAt, notedAt, reason } = drain;
    if (notedAt >= graceEndsAt || now < Math.min(graceEndsAt, notedAt + NOTE_EVERY_MS)) continue;
    drain.notedAt = now;
    step.changes.push({ kind: 'drain', agentId, drain: { graceLeftMs: Math.max(0, graceEndsAt - now), reason } });
  }
}

/** Milliseconds that are left to what runs on an agent; undefined: it is not drained. */
export function graceLeft(core: Core, agentId: string, now: number): number | undefined {
  const drain = core.drains.get(agentId);
  return drain && Math.max(0, drain.graceEndsAt - now);
}

/** What people are told of an agent. */
export function shownState(core: Core, agent: Agent): Exclude<AgentStateName, 'unspecified'> {
  if (agent.state === 'lost') return 'lost';
  if (!isDraining(core, agent)) return 'connected';
  return busySlots(core, agent.id) > 0 ? 'draining' : 'drained';
}
