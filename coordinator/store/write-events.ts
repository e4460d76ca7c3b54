/** Writes events. Defines the result of a transaction. */

import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { AgentEventKind, EventKind } from '../../proto/names.ts';
import type { Change } from '../core/step.ts';
import type { WriteSql } from './write-sql.ts';

export interface StoredEvent {
  readonly seq: number;
  readonly at: number;
  readonly sweepId: string;
  readonly trialId: string;
  readonly attempt: number;
  readonly kind: string;
  readonly detail: string;
  /** The user who caused the event. Empty if the coordinator or an agent caused the event. */
  readonly by: string;
  /** The agent that the event is about, if the event belongs to no sweep. */
  readonly agentId: string;
}

/**
 * An artifact whose row was removed from the store. The file of the artifact can be removed once the transaction is
 * durable.
 */
export interface DroppedArtifact {
  readonly key: AttemptKey;
  readonly name: string;
}

/** The results that the caller of a transaction needs once the transaction is durable. */
export interface TransactionResult {
  readonly events: StoredEvent[];
  readonly dropped: DroppedArtifact[];
}

export type ChangeOf<Kind extends Change['kind']> = Change & { kind: Kind };

export type AddAgentEvent = (agentId: string, kind: AgentEventKind, detail: string) => void;

export type AddEvent = (sweepId: string, trialId: string, attempt: number, kind: EventKind, detail: string) => void;

/** The sweep id of events about agents, which belong to no sweep. */
export const AGENT_EVENTS = '0';

/** The number of events about agents that the store keeps. Older events about agents are removed. */
const MAX_AGENT_EVENTS = 10_000;

export function eventWriter(sql: WriteSql): (event: Omit<StoredEvent, 'seq'>) => StoredEvent {
  const columns = ['at', 'sweep_id', 'trial_id', 'attempt', 'kind', 'detail'];
  // Most events have neither a user nor an agent, and each column costs time.
  const insert = sql.insertEvent(columns);
  const insertAttributed = sql.insertEvent([...columns, 'by', 'agent_id']);
  const removeOldest = sql.change(
    `delete from events where sweep_id = 0 and seq <=
       (select seq from events where sweep_id = 0 order by seq desc limit 1 offset ${MAX_AGENT_EVENTS})`,
  );
  return (event) => {
    const { at, sweepId, trialId, attempt, kind, detail, by, agentId } = event;
    const seq =
      by === '' && agentId === ''
        ? insert(at, sweepId, trialId, attempt, kind, detail)
        : insertAttributed(at, sweepId, trialId, attempt, kind, detail, by, agentId);
    if (sweepId === AGENT_EVENTS) removeOldest();
    // A literal with all fields costs less than a spread, and each trial has six events.
    return { seq, at, sweepId, trialId, attempt, kind, detail, by, agentId };
  };
}
