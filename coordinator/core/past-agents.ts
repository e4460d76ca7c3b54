/** Manages agents that left or were lost, and the facts about these agents that outlive a restart. */
import { formatSpan } from '../../lib/text/duration.ts';
import type { Agent, AgentFacts } from './agent-model.ts';
import { busySlots } from './leases.ts';
import type { Core } from './model.ts';
import { type Change, NO_STEP, type Step, stepOf } from './step.ts';

/**
 * The maximum number of disconnected agents whose facts are kept. The agents that have been silent for longest are
 * removed first. Agents with a drain or a quarantine are kept even above this number. So are agents that have connected
 * since the coordinator started and still hold attempts.
 */
export const MAX_PAST_AGENTS = 1_000;

/** The interval at which the time of an agent's last message is stored, in milliseconds. */
export const AGENT_STORE_INTERVAL_MS = 60_000;

/** @param event the event that the change causes. Default: none */
export function agentChange(agent: Agent, event?: AgentChange['event']): Change {
  return { kind: 'agent', agentId: agent.id, facts: factsOf(agent), event };
}

type AgentChange = Change & { readonly kind: 'agent' };

/** Returns the event of an agent that has left or is lost; returns undefined if the agent is connected. */
export function departureOf({ id, state, lastHeardAt }: Agent, now: number): AgentChange['event'] {
  if (state === 'left') return { kind: 'left', detail: `agent ${id} stopped` };
  if (state === 'connected') return undefined;
  return { kind: 'lost', detail: `nothing was received from agent ${id} for ${formatSpan(now - lastHeardAt)}` };
}

/** Returns the facts about an agent that are kept after the agent has left or is lost. */
export function factsOf(agent: Agent): AgentFacts {
  const { instance, location, host, version, slots, backend, gpus, state, connectedAt, lastHeardAt } = agent;
  return { instance, location, host, version, slots, backend, gpus, state, connectedAt, lastHeardAt };
}

/**
 * Records that the stream of an agent's process has ended. If the agent is shutting down and holds no attempts, it is
 * then marked as left.
 */
export function onDisconnect(
  core: Core,
  { agentId, incarnation }: { readonly agentId: string; readonly incarnation: string },
): Step {
  const agent = core.agents.get(agentId);
  if (agent?.incarnation !== incarnation) return NO_STEP;
  agent.disconnected = true;
  return leaveIfDone(core, agent) ? stepOf([agentChange(agent, departureOf(agent, agent.lastHeardAt))]) : NO_STEP;
}

/**
 * Marks an agent as left once it is shutting down, its stream has ended and it holds no attempts. The agent's last
 * heartbeat can arrive before or after the end of its stream.
 */
export function leaveIfDone(core: Core, agent: Agent): boolean {
  if (!agent.leaving || !agent.disconnected || agent.state !== 'connected' || busySlots(core, agent.id) > 0)
    return false;
  agent.state = 'left';
  return true;
}

/**
 * Finds the agents that are lost or have left, stores the last message times of the other agents, and removes the
 * oldest disconnected agents if there are more than MAX_PAST_AGENTS.
 */
export function updateAgents(core: Core, now: number): Change[] {
  const changes: Change[] = [];
  for (const agent of core.agents.values()) {
    if (agent.state !== 'connected') continue;
    const isSilent = now - Math.max(agent.lastHeardAt, core.listeningSince) > core.leaseMs;
    if (isSilent) agent.state = agent.leaving && busySlots(core, agent.id) === 0 ? 'left' : 'lost';
    else if (!leaveIfDone(core, agent) && now - agent.storedAt < AGENT_STORE_INTERVAL_MS) continue;
    agent.storedAt = now;
    changes.push(agentChange(agent, departureOf(agent, now)));
  }
  return [...changes, ...forgetOldest(core)];
}

function forgetOldest(core: Core): Change[] {
  const away = [...core.agents.values()].filter(({ state }) => state !== 'connected');
  const excess = away.length + core.pastAgents.size - MAX_PAST_AGENTS;
  if (excess <= 0) return [];
  const past = [...core.pastAgents].map(([id, { lastHeardAt }]) => ({ id, lastHeardAt }));
  // An agent with a drain or a quarantine is never removed. An agent that has connected since the start of the
  // coordinator is not removed while it holds attempts.
  const removable = [...past, ...away.filter(({ id }) => busySlots(core, id) === 0)].filter(
    ({ id }) => !core.drains.has(id) && !core.quarantines.has(id),
  );
  const oldest = removable.sort((a, b) => a.lastHeardAt - b.lastHeardAt).slice(0, excess);
  return oldest.map(({ id }) => {
    core.agents.delete(id);
    core.pastAgents.delete(id);
    return { kind: 'agent', agentId: id, facts: undefined };
  });
}
