/** Drains, undrains, releases and lists agents. */
import { AmbiguousError, BadInputError, NotFoundError } from '../../proto/errors.ts';
import { type Agent, Agent as AgentMessage, type Quarantine } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import type { AgentFacts } from '../core/agent-model.ts';
import { displayedState } from '../core/agents.ts';
import { type DrainRequest, onDrain, onUndrain } from '../core/drain.ts';
import { busySlots } from '../core/leases.ts';
import type { Core } from '../core/model.ts';
import { onRelease } from '../core/quarantine.ts';
import type { Runtime } from './runtime.ts';

const MAX_GRACE_MS = 365 * 86_400_000;

export interface AgentControl {
  /** `request.by` names the user who requested the drain, and may be empty. */
  drain(agent: string, request: Omit<DrainRequest, 'agentId'>): Promise<Agent>;
  undrain(agent: string, by: string): Promise<Agent>;
  /** Ends the quarantine of an agent, and clears the early failures that count against the agent. */
  release(agent: string, by: string): Promise<Agent>;
}

export function agentControl(runtime: Runtime): AgentControl {
  const { core } = runtime;
  return {
    async drain(name, request) {
      if (request.graceMs > MAX_GRACE_MS) throw new BadInputError('grace period too long (max 365 days)');
      const id = findAgent(core, name);
      await runtime.settle(onDrain(core, { agentId: id, ...request }, runtime.now()), request.by);
      return agentOf(core, id, runtime.now());
    },
    async undrain(name, by) {
      const id = findAgent(core, name);
      await runtime.settle(onUndrain(core, { agentId: id }), by);
      runtime.reschedule();
      return agentOf(core, id, runtime.now());
    },
    async release(name, by) {
      const id = findAgent(core, name);
      await runtime.settle(onRelease(core, { agentId: id }), by);
      runtime.reschedule();
      return agentOf(core, id, runtime.now());
    },
  };
}

function findAgent(core: Core, name: string): string {
  const ids = [
    ...new Set([...core.agents.keys(), ...core.pastAgents.keys(), ...core.drains.keys(), ...core.quarantines.keys()]),
  ].sort();
  if (ids.includes(name)) return name;
  const matches = name === '' ? [] : ids.filter((id) => id.startsWith(name));
  const [match] = matches;
  if (matches.length > 1) throw new AmbiguousError(`agent ${JSON.stringify(name)} is ambiguous: ${matches.join(', ')}`);
  if (match !== undefined) return match;
  const known = ids.length === 0 ? 'no agent has connected' : `known agents: ${ids.join(', ')}`;
  throw new NotFoundError(`there is no agent ${JSON.stringify(name)}; ${known}`);
}

export function agentsOf(core: Core, now: number): Agent[] {
  return [...core.agents.keys(), ...core.pastAgents.keys()].map((id) => agentOf(core, id, now));
}

/** Builds the `Agent` message of a disconnected agent from the agent's stored facts. */
export function pastAgentOf(id: string, facts: AgentFacts): Agent {
  const { host, version, slots, backend, gpus, state, connectedAt, lastHeardAt } = facts;
  return AgentMessage.fromPartial({
    id,
    host,
    version,
    slots,
    backend,
    gpus: [...gpus],
    pack: 1,
    state: agentState.to(state),
    connectedAtMs: connectedAt,
    lastHeartbeatMs: lastHeardAt,
  });
}

function quarantineOf(core: Core, id: string, now: number): Quarantine | undefined {
  const quarantine = core.quarantines.get(id);
  if (quarantine === undefined) return undefined;
  const { sweepIds, reason, since, failedProbes, probeAt } = quarantine;
  const probeInMs = Math.max(0, probeAt - now);
  return { sweepIds: sweepIds.length > 1 ? [] : [...sweepIds], reason, sinceMs: since, failedProbes, probeInMs };
}

/**
 * Builds the `Agent` message of an agent. After a restart of the coordinator, only the stored facts about the agent are
 * known until the agent connects.
 */
function agentOf(core: Core, id: string, now: number): Agent {
  const agent = core.agents.get(id);
  const { reason: drainReason = '', by: drainedBy = '', since: drainedSinceMs = 0 } = core.drains.get(id) ?? {};
  if (agent === undefined) {
    const past = core.pastAgents.get(id);
    const known = past && pastAgentOf(id, past);
    return AgentMessage.fromPartial({
      ...(known ?? { id, state: agentState.to('lost'), pack: 1 }),
      drainReason,
      drainedBy,
      drainedSinceMs,
      quarantine: quarantineOf(core, id, now),
    });
  }
  return {
    id,
    host: agent.host,
    state: agentState.to(displayedState(core, agent)),
    slots: agent.slots,
    busy: busySlots(core, id),
    backend: agent.backend,
    version: agent.version,
    connectedAtMs: agent.connectedAt,
    lastHeartbeatMs: agent.lastHeardAt,
    gpus: [...agent.gpus],
    drainReason,
    drainedBy,
    drainedSinceMs,
    labels: { ...agent.labels },
    slotVramBytes: agent.slotFacts.map(({ vramBytes }) => vramBytes),
    pack: agent.pack,
    gpuFigures: [...(agent.gpuFigures ?? [])],
    machineFigures: agent.machineFigures,
    certificateExpiresMs: agent.certificateExpires ?? 0,
    quarantine: displayedState(core, agent) === 'quarantined' ? quarantineOf(core, id, now) : undefined,
  };
}
