/** Loads agents, drains and quarantines when the coordinator starts. */
import type { AgentFacts } from '../core/agent-model.ts';
import type { StoredDrain, StoredQuarantine } from '../core/step.ts';
import type { Reader } from './reader.ts';

/**
 * Loads the agents that the store knows. No agent is connected when the coordinator starts. An agent that was connected
 * before the start counts as lost until it connects again.
 */
export async function loadAgents(reader: Reader): Promise<Map<string, AgentFacts>> {
  const rows = await reader.all<Omit<AgentFacts, 'gpus'> & { readonly agentId: string; readonly gpus: string }>(
    `select agent_id as "agentId", instance, location, host, version, slots, backend, gpus, state,
       connected_at as "connectedAt", last_heard_at as "lastHeardAt" from agents order by agent_id`,
  );
  return new Map(
    rows.map(({ agentId, gpus, state, ...facts }) => [
      agentId,
      { ...facts, gpus: JSON.parse(gpus), state: state === 'left' ? 'left' : 'lost' },
    ]),
  );
}

export async function loadQuarantines(reader: Reader): Promise<(StoredQuarantine & { readonly agentId: string })[]> {
  const rows = await reader.all<
    Omit<StoredQuarantine, 'sweepIds'> & { readonly agentId: string; readonly sweepIds: string }
  >(
    `select agent_id as "agentId", sweep_ids as "sweepIds", since, reason, failed_probes as "failedProbes"
     from quarantines order by agent_id`,
  );
  return rows.map(({ sweepIds, ...quarantine }) => ({ ...quarantine, sweepIds: JSON.parse(sweepIds) }));
}

export function loadDrains(reader: Reader): Promise<(StoredDrain & { readonly agentId: string })[]> {
  return reader.all(
    'select agent_id as "agentId", grace_left_ms as "graceLeftMs", reason, by, since from drains order by agent_id',
  );
}
