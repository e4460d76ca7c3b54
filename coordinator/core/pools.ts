/**
 * Pools: slots that have the same in everything that a trial may ask for, so that what one may run all may. Offers are
 * made to a pool, and its slots pull from its queue and no other (docs/decisions/pools.md).
 */
import { createHash } from 'node:crypto';
import { type Capability, unfit } from './fitness.ts';
import { takesWork } from './leases.ts';
import type { Agent, Core, SlotFacts, Sweep } from './model.ts';

const NO_GPU: SlotFacts = { gpus: 0, vramBytes: 0 };

export function capabilityOf(agent: Omit<Agent, 'pools'>, slot: number): Capability {
  const { backend, labels, trainers } = agent;
  return { backend, labels, trainers, ...(agent.slotFacts[slot] ?? NO_GPU) };
}

/** One token of a NATS subject; the same for slots that have the same. */
export function poolOf({ backend, gpus, vramBytes, labels, trainers }: Capability): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const content = JSON.stringify([backend, gpus, vramBytes, sorted, [...trainers].sort()]);
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

export function poolsOf(agent: Omit<Agent, 'pools'>): string[] {
  return Array.from({ length: agent.slots }, (_, slot) => poolOf(capabilityOf(agent, slot)));
}

/** A pool in which something is to be offered. */
export interface Pool {
  readonly id: string;
  readonly capability: Capability;
  /** Slots of agents that take work. */
  slots: number;
  /** Of these, slots that run nothing. */
  free: number;
  /** Offers that stand, as far as the scheduler has counted them: of sweeps as urgent as the one it looks at, or more. */
  offered: number;
}

/** The pools of all agents that take work. */
export function presentPools(core: Core): Map<string, Pool> {
  const pools = new Map<string, Pool>();
  for (const agent of core.agents.values()) {
    if (!takesWork(core, agent)) continue;
    const inUse = core.slotsInUse.get(agent.id);
    for (const [slot, id] of agent.pools.entries()) {
      const pool = pools.get(id) ?? { id, capability: capabilityOf(agent, slot), slots: 0, free: 0, offered: 0 };
      pools.set(id, pool);
      pool.slots += 1;
      if (!inUse?.has(slot)) pool.free += 1;
    }
  }
  return pools;
}

export function suits(sweep: Sweep, { id, capability }: Pick<Pool, 'id' | 'capability'>): boolean {
  const known = sweep.suits.get(id);
  if (known !== undefined) return known;
  const found = unfit(sweep.policy, capability).length === 0;
  sweep.suits.set(id, found);
  return found;
}

/** Slots that run nothing and may run the sweep's trials. */
export function freeSlotsFor(core: Core, sweep: Sweep): number {
  let free = 0;
  for (const agent of core.agents.values()) {
    if (!takesWork(core, agent)) continue;
    const inUse = core.slotsInUse.get(agent.id);
    for (const [slot, id] of agent.pools.entries()) {
      if (!inUse?.has(slot) && suits(sweep, { id, capability: capabilityOf(agent, slot) })) free += 1;
    }
  }
  return free;
}
