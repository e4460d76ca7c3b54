/** Agents come, are heard of, and are lost. */
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { endAttempt } from './attempts.ts';
import { type Agent, type AttemptKey, type Core, keyText } from './model.ts';
import { Step } from './step.ts';

export type AgentHello = Omit<Agent, 'state' | 'leaving' | 'lastHeardAt'>;

/**
 * An agent says who it is. Attempts of an earlier incarnation keep their leases for now: their last records may stand
 * in the agent's spool, and arrive before its first heartbeat.
 */
export function onHello(core: Core, hello: AgentHello, now: number): void {
  core.agents.set(hello.id, { ...hello, state: 'connected', leaving: false, lastHeardAt: now });
}

export interface HeartbeatFacts {
  readonly agentId: string;
  readonly incarnation: string;
  readonly held: readonly AttemptKey[];
  /** It takes nothing new: it is to end. */
  readonly leaving: boolean;
}

/** Renews the leases of what the agent holds; what an earlier incarnation of it held is lost. */
export function onHeartbeat(core: Core, beat: HeartbeatFacts, now: number): Step {
  const step = new Step();
  const agent = core.agents.get(beat.agentId);
  if (agent?.incarnation === beat.incarnation) {
    agent.lastHeardAt = now;
    agent.state = 'connected';
    agent.leaving = beat.leaving;
  }
  for (const key of beat.held) {
    const lease = core.leases.get(keyText(key));
    if (lease?.agentId === beat.agentId && lease.incarnation === beat.incarnation) {
      lease.expiresAt = now + core.leaseMs;
    } else {
      step.outputs.push({
        kind: 'dismiss',
        agentId: beat.agentId,
        key,
        refusal: { code: RefusalCode.SUPERSEDED, message: `attempt ${keyText(key)} is not leased to this agent` },
      });
    }
  }
  if (agent?.incarnation !== beat.incarnation) return step;
  for (const lease of core.leases.values()) {
    if (lease.agentId !== beat.agentId || lease.incarnation === beat.incarnation) continue;
    const failure = { class: 'lost', message: `agent ${beat.agentId} was restarted` } as const;
    endAttempt(core, lease.key, { outcome: 'failed', failure }, now, step);
  }
  return step;
}
