/** Agents are drained, and take work again. */
import type { AgentStateName } from '../../proto/names.ts';
import { busySlots, isDraining } from './leases.ts';
import type { Agent, Core, Drain } from './model.ts';
import { Step } from './step.ts';

/** A second drain replaces the first: its grace and its reason count. */
export function onDrain(core: Core, agentId: string, drain: Drain): Step {
  core.drains.set(agentId, drain);
  return changed(agentId, drain);
}

export function onUndrain(core: Core, agentId: string): Step {
  return core.drains.delete(agentId) ? changed(agentId, undefined) : new Step();
}

function changed(agentId: string, drain: Drain | undefined): Step {
  const step = new Step();
  step.changes.push({ kind: 'drain', agentId, drain });
  step.outputs.push({ kind: 'drain', agentId });
  return step;
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
