/** Agents come, are heard of, and are lost. */
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { GpuFigures } from '../../proto/gen/trawl/v1/types.ts';
import { endAttempt } from './attempts.ts';
import { type Agent, type AttemptKey, type Core, keyText, type Lease } from './model.ts';
import { matesOf } from './packs.ts';
import { poolsOf } from './pools.ts';
import { Step } from './step.ts';

export type AgentHello = Omit<Agent, 'pools' | 'state' | 'leaving' | 'lastHeardAt' | 'gpuFigures'>;

/**
 * An agent says who it is. Attempts of an earlier incarnation keep their leases for now: its heartbeats will say of
 * which of them it has still to tell.
 */
export function onHello(core: Core, hello: AgentHello, now: number): void {
  const agent = { ...hello, state: 'connected', leaving: false, lastHeardAt: now } as const;
  core.agents.set(hello.id, { ...agent, pools: poolsOf(agent) });
}

export interface HeartbeatFacts {
  readonly agentId: string;
  readonly incarnation: string;
  /** What it runs, and what it or an earlier incarnation has recorded and not yet brought here. */
  readonly held: readonly AttemptKey[];
  /** What it has claimed and was not answered. */
  readonly claimed?: readonly AttemptKey[];
  /** It takes nothing new: it is to end. */
  readonly leaving: boolean;
  readonly gpuFigures?: readonly GpuFigures[];
}

/**
 * How long a lease is kept for an agent that is heard and does not hear that it has it: it asks again, and is told. After
 * that another may run the trial.
 */
export const UNTOLD_LEASE_MS = 60_000;

/** Renews the leases of what the agent holds; what an earlier incarnation of it held, and it does not, is lost. */
export function onHeartbeat(core: Core, beat: HeartbeatFacts, now: number): Step {
  const step = new Step();
  const agent = core.agents.get(beat.agentId);
  const isCurrent = agent?.incarnation === beat.incarnation;
  if (isCurrent) {
    agent.lastHeardAt = now;
    agent.state = 'connected';
    agent.leaving = beat.leaving;
    agent.gpuFigures = beat.gpuFigures ?? [];
  }
  const held = new Set<Lease>();
  for (const key of beat.held) {
    const lease = core.leases.get(keyText(key));
    if (lease?.agentId === beat.agentId && (isCurrent || lease.incarnation === beat.incarnation)) {
      lease.expiresAt = now + core.leaseMs;
      held.add(lease);
    } else {
      step.outputs.push({
        kind: 'dismiss',
        agentId: beat.agentId,
        key,
        refusal: { code: RefusalCode.SUPERSEDED, message: `attempt ${keyText(key)} is not leased to this agent` },
      });
    }
  }
  if (!isCurrent) return step;
  for (const key of beat.claimed ?? []) renewUntold(core, key, beat, now);
  for (const lease of core.leases.values()) {
    if (lease.agentId !== beat.agentId || lease.incarnation === beat.incarnation || held.has(lease)) continue;
    const failure = { class: 'lost', message: `agent ${beat.agentId} was restarted` } as const;
    endAttempt(core, lease.key, { outcome: 'failed', failure }, now, step);
  }
  return step;
}

/** The answer to a claim may have been lost on its way: the agent claims again, and must find its lease. */
function renewUntold(core: Core, key: AttemptKey, { agentId, incarnation }: HeartbeatFacts, now: number): void {
  const lease = core.leases.get(keyText(key));
  if (lease?.agentId !== agentId || lease.incarnation !== incarnation) return;
  if (now - lease.grantedAt >= UNTOLD_LEASE_MS) return;
  for (const one of [lease, ...matesOf(core, lease)]) one.expiresAt = now + core.leaseMs;
}
