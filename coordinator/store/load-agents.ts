/** Loads agents, drains and quarantines when the coordinator starts. */

import type { Database } from 'libsql';
import type { AgentFacts } from '../core/agent-model.ts';
import type { StoredDrain, StoredQuarantine } from '../core/step.ts';

/**
 * Loads the agents that the store knows. No agent is connected when the coordinator starts. An agent that was connected
 * before is lost until it returns.
 */
export function loadAgents(db: Database): Map<string, AgentFacts> {
  const rows = db
    .prepare(
      `select agent_id, instance, location, host, version, slots, backend, gpus, state, connected_at as connectedAt,
       last_heard_at as lastHeardAt from agents order by agent_id`,
    )
    .all() as (Omit<AgentFacts, 'gpus'> & { readonly agent_id: string; readonly gpus: string })[];
  return new Map(
    rows.map(({ agent_id, gpus, state, ...facts }) => [
      agent_id,
      { ...facts, gpus: JSON.parse(gpus), state: state === 'left' ? 'left' : 'lost' },
    ]),
  );
}

export function loadQuarantines(db: Database): (StoredQuarantine & { readonly agentId: string })[] {
  const rows = db.prepare('select agent_id, sweep_ids, since, reason, failed_probes from quarantines').all() as {
    agent_id: string;
    sweep_ids: string;
    since: number;
    reason: string;
    failed_probes: number;
  }[];
  return rows.map(({ agent_id: agentId, sweep_ids, since, reason, failed_probes: failedProbes }) => {
    return { agentId, sweepIds: JSON.parse(sweep_ids), since, reason, failedProbes };
  });
}

export function loadDrains(db: Database): (StoredDrain & { readonly agentId: string })[] {
  const rows = db
    .prepare('select agent_id as agentId, grace_left_ms as graceLeftMs, reason, by, since from drains')
    .all();
  return rows as (StoredDrain & { agentId: string })[];
}
