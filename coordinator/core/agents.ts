/** Handles the hellos and heartbeats of agents, and the revocation of their identities. */
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { countText } from '../../lib/text/numbers.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { GpuFigures, MachineFigures } from '../../proto/gen/trawl/v1/types.ts';
import type { AgentStateName } from '../../proto/names.ts';
import type { Agent, AgentFacts } from './agent-model.ts';
import { endAttempt } from './attempt-ends.ts';
import type { Lease } from './attempt-model.ts';
import { closingAttempt, stopOrder } from './closing-attempts.ts';
import { isDraining } from './drain.ts';
import { agentLeases, busySlots, isQueued, packMatesOf, startOldest } from './leases.ts';
import type { Core } from './model.ts';
import { agentChange, departureOf, factsOf, leaveIfDone } from './past-agents.ts';
import { agentsToIsolate } from './placement.ts';
import { poolsOf } from './pools.ts';
import { isQuarantined } from './quarantine.ts';
import { type Change, combine, type Output, type Step, stepOf } from './step.ts';

export type AgentHello = Omit<
  Agent,
  | 'pools'
  | 'isolated'
  | 'state'
  | 'leaving'
  | 'disconnected'
  | 'connectedAt'
  | 'lastHeardAt'
  | 'storedAt'
  | 'gpuFigures'
  | 'machineFigures'
>;

/**
 * Adds an agent, or replaces its earlier incarnation. Attempts of the earlier incarnation keep their leases until the
 * first heartbeat of the new incarnation. This heartbeat lists the attempts whose records the agent still has. All
 * other attempts of the earlier incarnation are then lost.
 */
export function onHello(core: Core, hello: AgentHello, now: number): Step {
  const isolated = agentsToIsolate(core).has(hello.id);
  const known = core.agents.get(hello.id);
  const connectedAt = known?.incarnation === hello.incarnation ? known.connectedAt : now;
  const times = { connectedAt, lastHeardAt: now, storedAt: now };
  const agent = { ...hello, ...times, isolated, state: 'connected', leaving: false, disconnected: false } as const;
  const connected: Agent = { ...agent, pools: poolsOf(agent) };
  const event = arrivalOf(connected, known, core.pastAgents.get(hello.id));
  core.agents.set(hello.id, connected);
  core.pastAgents.delete(hello.id);
  return stepOf([agentChange(connected, event)]);
}

/** Returns the event to record for an agent that connects. Undefined if the agent's process was already connected. */
function arrivalOf(
  { id, host, slots, incarnation }: Agent,
  known: Agent | undefined,
  past: AgentFacts | undefined,
): ReturnType<typeof departureOf> {
  if (known?.incarnation === incarnation && known.state === 'connected') return undefined;
  const detail = `agent ${id} on ${host}, ${countText(slots, 'slot')}`;
  if (known?.incarnation === incarnation || (known === undefined && past?.state === 'lost')) {
    return { kind: 'returned', detail };
  }
  return { kind: 'joined', detail: known === undefined || known.state === 'left' ? detail : `${detail}: restarted` };
}

export interface HeartbeatFacts {
  readonly agentId: string;
  readonly incarnation: string;
  /** Attempts that the agent runs, and attempts with records in its spool. */
  readonly held: readonly AttemptKey[];
  /** Attempts that the agent has claimed, but for which it has received no answer yet. */
  readonly claimed?: readonly AttemptKey[];
  /** Whether the agent is shutting down, and takes no new work. */
  readonly leaving: boolean;
  readonly gpuFigures?: readonly GpuFigures[];
  readonly machineFigures?: MachineFigures | undefined;
}

/**
 * The time after a grant during which the agent's heartbeats renew an unconfirmed lease. A lease is unconfirmed while
 * the agent still waits for the answer to its claim, for example because the answer was lost. After this time, the
 * lease is no longer renewed. When the lease has expired, another agent can run the trial.
 */
export const UNCONFIRMED_LEASE_MS = 60_000;

/**
 * Renews the leases that the agent holds. An attempt of an earlier incarnation is lost if the heartbeat does not list
 * it.
 */
export function onHeartbeat(core: Core, beat: HeartbeatFacts, now: number): Step {
  const { agentId, incarnation } = beat;
  const agent = core.agents.get(agentId);
  const isCurrent = agent?.incarnation === incarnation;
  const changes: Change[] = [];
  if (isCurrent) {
    const wasAway = agent.state !== 'connected';
    agent.lastHeardAt = now;
    agent.state = 'connected';
    agent.leaving = beat.leaving;
    agent.gpuFigures = beat.gpuFigures ?? [];
    agent.machineFigures = beat.machineFigures;
    if (leaveIfDone(core, agent)) changes.push(agentChange(agent, departureOf(agent, now)));
    else if (wasAway) changes.push(agentChange(agent, { kind: 'returned', detail: `agent ${agentId} reports again` }));
  }
  const held = new Set<Lease>();
  const revoked: Output[] = [];
  for (const key of beat.held) {
    const lease = core.leases.get(keyText(key));
    if (lease?.agentId === agentId && (isCurrent || lease.incarnation === incarnation)) {
      lease.expiresAt = now + core.leaseMs;
      held.add(lease);
      // The slot's previous attempt may have ended without a record from the agent, for example because a user killed
      // the trial.
      if (isQueued(lease) && lease.incarnation === incarnation) startOldest(core, lease, now);
    } else if (closingAttempt(core, agentId, key) !== undefined) {
      // The agent sent this heartbeat before it received the order to stop, or the order was lost.
      revoked.push(stopOrder({ agentId, key }, `attempt ${keyText(key)} was stopped`));
    } else if (lease?.agentId !== agentId || lease.incarnation !== agent?.incarnation) {
      // An attempt that is leased to the agent's current process is not revoked, because this heartbeat may be an old
      // one that an earlier process sent.
      const message = `attempt ${keyText(key)} is not leased to this agent`;
      revoked.push({ kind: 'revoke', agentId, key, refusal: { code: RefusalCode.SUPERSEDED, message } });
    }
  }
  const steps = [stepOf(changes, revoked)];
  // After a takeover, heartbeats over NATS can arrive before the agent has connected again. Such heartbeats also renew
  // unconfirmed leases.
  for (const key of beat.claimed ?? []) renewUnconfirmed(core, key, beat, now);
  if (!isCurrent) return combine(steps);
  for (const lease of [...agentLeases(core, agentId)]) {
    if (lease.incarnation === incarnation || held.has(lease)) continue;
    const failure = { class: 'lost', message: `agent ${agentId} was restarted` } as const;
    steps.push(endAttempt(core, { key: lease.key, end: { outcome: 'failed', failure } }, now));
  }
  return combine(steps);
}

/**
 * Ends every attempt of an agent when the identity of the agent is revoked. Forgets the process of the revoked agent,
 * so that later heartbeats of the process renew no lease. The revoked agent is lost until it connects with a new
 * identity.
 */
export function onRevoked(core: Core, agentId: string, now: number): Step {
  const failure = { class: 'lost', message: `the identity of agent ${agentId} was revoked` } as const;
  const steps: Step[] = [];
  for (const { key } of [...agentLeases(core, agentId)]) {
    steps.push(endAttempt(core, { key, end: { outcome: 'failed', failure } }, now));
  }
  const agent = core.agents.get(agentId);
  const past = agent === undefined ? core.pastAgents.get(agentId) : factsOf(agent);
  if (past !== undefined) {
    // Because the instance is empty, an agent with a new identity can use the agent's id at once.
    const facts: AgentFacts = { ...past, state: 'lost', instance: '' };
    core.agents.delete(agentId);
    core.pastAgents.set(agentId, facts);
    const event = { kind: 'lost', detail: `the identity of agent ${agentId} was revoked` } as const;
    steps.push(stepOf([{ kind: 'agent', agentId, facts, event }]));
  }
  return combine(steps);
}

/** Renews an unconfirmed lease and the leases of its pack, up to UNCONFIRMED_LEASE_MS after the grant. */
function renewUnconfirmed(core: Core, key: AttemptKey, { agentId, incarnation }: HeartbeatFacts, now: number): void {
  const lease = core.leases.get(keyText(key));
  if (lease?.agentId !== agentId || lease.incarnation !== incarnation) return;
  if (now - lease.grantedAt >= UNCONFIRMED_LEASE_MS) return;
  for (const one of [lease, ...packMatesOf(core, lease)]) one.expiresAt = now + core.leaseMs;
}

/** Returns the displayed state of an agent. */
export function displayedState(core: Core, agent: Agent): Exclude<AgentStateName, 'unspecified'> {
  if (agent.state !== 'connected') return agent.state;
  if (isDraining(core, agent)) return busySlots(core, agent.id) > 0 ? 'draining' : 'drained';
  return isQuarantined(core, agent) ? 'quarantined' : 'connected';
}
