/** Writes the rows of agents, drains and quarantines. */

import type { Database } from 'libsql';
import type { AddAgentEvent, AddEvent, ChangeOf } from './write-events.ts';

export function agentWriter(db: Database): (change: ChangeOf<'agent'>, addEvent: AddAgentEvent) => void {
  const insert = db.prepare(
    `insert or replace into agents (agent_id, instance, location, host, version, slots, backend, gpus, state,
     connected_at, last_heard_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const remove = db.prepare('delete from agents where agent_id = ?');
  return ({ agentId, facts, event }, addEvent) => {
    if (event !== undefined) addEvent(agentId, event.kind, event.detail);
    if (facts === undefined) remove.run(agentId);
    else {
      const { instance, location, host, version, slots, backend, gpus, state, connectedAt, lastHeardAt } = facts;
      const machine = [host, version, slots, backend, JSON.stringify(gpus)];
      insert.run(agentId, instance, location, ...machine, state, connectedAt, lastHeardAt);
    }
  };
}

export function drainWriter(db: Database): (change: ChangeOf<'drain'>, addEvent: AddAgentEvent) => void {
  const insert = db.prepare(
    'insert or replace into drains (agent_id, grace_left_ms, reason, by, since) values (?, ?, ?, ?, ?)',
  );
  const remove = db.prepare('delete from drains where agent_id = ?');
  return ({ agentId, drain, isNew }, addEvent) => {
    if (drain === undefined) remove.run(agentId);
    else insert.run(agentId, drain.graceLeftMs, drain.reason, drain.by, drain.since);
    if (isNew) addEvent(agentId, drain === undefined ? 'undrained' : 'drained', drain?.reason ?? '');
  };
}

export function quarantineWriter(
  db: Database,
): (change: ChangeOf<'quarantine'>, addEvent: AddEvent, addAgentEvent: AddAgentEvent) => void {
  const insert = db.prepare(
    'insert or replace into quarantines (agent_id, sweep_ids, since, reason, failed_probes) values (?, ?, ?, ?, ?)',
  );
  const remove = db.prepare('delete from quarantines where agent_id = ?');
  return ({ agentId, quarantine, sweepIds, detail }, addEvent, addAgentEvent) => {
    if (quarantine === undefined) {
      remove.run(agentId);
      addAgentEvent(agentId, 'released', detail);
    } else {
      if (quarantine.failedProbes === 0) addAgentEvent(agentId, 'quarantined', detail);
      const { sweepIds: covered, since, reason, failedProbes } = quarantine;
      insert.run(agentId, JSON.stringify(covered), since, reason, failedProbes);
    }
    for (const sweepId of sweepIds) addEvent(sweepId, '', 0, 'quarantine', detail);
  };
}
