/** Writes the rows of agents, drains and quarantines. */

import type { AddAgentEvent, AddEvent, ChangeOf } from './write-events.ts';
import { upsert, type WriteSql } from './write-sql.ts';

export function agentWriter(sql: WriteSql): (change: ChangeOf<'agent'>, addEvent: AddAgentEvent) => void {
  const columns = ['instance', 'location', 'host', 'version', 'slots', 'backend', 'gpus', 'state'];
  const insert = sql.change(upsert('agents', ['agent_id'], [...columns, 'connected_at', 'last_heard_at']));
  const remove = sql.change('delete from agents where agent_id = ?');
  return ({ agentId, facts, event }, addEvent) => {
    if (event !== undefined) addEvent(agentId, event.kind, event.detail);
    if (facts === undefined) remove(agentId);
    else {
      const { instance, location, host, version, slots, backend, gpus, state, connectedAt, lastHeardAt } = facts;
      const machine = [host, version, slots, backend, JSON.stringify(gpus)];
      insert(agentId, instance, location, ...machine, state, connectedAt, lastHeardAt);
    }
  };
}

export function drainWriter(sql: WriteSql): (change: ChangeOf<'drain'>, addEvent: AddAgentEvent) => void {
  const insert = sql.change(upsert('drains', ['agent_id'], ['grace_left_ms', 'reason', 'by', 'since']));
  const remove = sql.change('delete from drains where agent_id = ?');
  return ({ agentId, drain, isNew }, addEvent) => {
    if (drain === undefined) remove(agentId);
    else insert(agentId, drain.graceLeftMs, drain.reason, drain.by, drain.since);
    if (isNew) addEvent(agentId, drain === undefined ? 'undrained' : 'drained', drain?.reason ?? '');
  };
}

export function quarantineWriter(
  sql: WriteSql,
): (change: ChangeOf<'quarantine'>, addEvent: AddEvent, addAgentEvent: AddAgentEvent) => void {
  const insert = sql.change(upsert('quarantines', ['agent_id'], ['sweep_ids', 'since', 'reason', 'failed_probes']));
  const remove = sql.change('delete from quarantines where agent_id = ?');
  return ({ agentId, quarantine, sweepIds, detail }, addEvent, addAgentEvent) => {
    if (quarantine === undefined) {
      remove(agentId);
      addAgentEvent(agentId, 'released', detail);
    } else {
      if (quarantine.failedProbes === 0) addAgentEvent(agentId, 'quarantined', detail);
      const { sweepIds: covered, since, reason, failedProbes } = quarantine;
      insert(agentId, JSON.stringify(covered), since, reason, failedProbes);
    }
    for (const sweepId of sweepIds) addEvent(sweepId, '', 0, 'quarantine', detail);
  };
}
