/**
 * Groups slots into pools. The slots of a pool are equal in everything that a trial can demand, so they can run the
 * same trials. Offers are made to a pool, and the slots of a pool pull only from its queue (docs/decisions/pools.md).
 */
import { createHash } from 'node:crypto';
import type { Agent, SlotFacts } from './agent-model.ts';
import { takesWork } from './drain.ts';
import { type Capability, shortfallsOf } from './fitness.ts';
import type { Core, Sweep } from './model.ts';

const NO_GPU: SlotFacts = { gpus: 0, vramBytes: 0 };

type Announced = Pick<Agent, 'id' | 'slots' | 'isolated' | 'backend' | 'labels' | 'trainers' | 'slotFacts'>;

export function capabilityOf(agent: Omit<Announced, 'id' | 'slots' | 'isolated'>, slot: number): Capability {
  const { backend, labels, trainers } = agent;
  return { backend, labels, trainers, ...(agent.slotFacts[slot] ?? NO_GPU) };
}

/**
 * Returns the id of a pool. The id is one token of a NATS subject. The id is the same for all slots with the same
 * capability and the same owner.
 */
function poolOf({ backend, gpus, vramBytes, labels, trainers }: Capability, owner: string | undefined): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const content = JSON.stringify([
    ...[backend, gpus, vramBytes, sorted, [...trainers].sort()],
    ...(owner === undefined ? [] : [owner]),
  ]);
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

/** Returns the pool of each slot. The pools of an isolated agent have no slots of other agents. */
export function poolsOf(agent: Announced): string[] {
  const owner = agent.isolated ? agent.id : undefined;
  return Array.from({ length: agent.slots }, (_, slot) => poolOf(capabilityOf(agent, slot), owner));
}

/** The state of a pool during a scheduling pass. */
export interface Pool {
  readonly id: string;
  readonly capability: Capability;
  /** The isolated agent that has this pool for itself. Undefined for a pool that agents can share. */
  readonly owner: string | undefined;
  /** The number of slots in the pool, without the slots of drained or lost agents. */
  slots: number;
  /** The number of idle slots in the pool, without the slots of drained or lost agents. */
  free: number;
  /** The number of open offers of sweeps whose priority is at least that of the sweep being scheduled. */
  offered: number;
  /** The number of attempts or packs that a slot may hold in addition to the one that it runs (prefetch.ts). */
  prefetch: number;
}

/** Returns, by id, the pools of all connected agents that are not drained. */
export function presentPools(core: Core): Map<string, Pool> {
  const pools = new Map<string, Pool>();
  for (const agent of core.agents.values()) {
    if (!takesWork(core, agent)) continue;
    const inUse = core.slotsInUse.get(agent.id);
    // Most slots of an agent are in one pool, so the pool of the previous slot is usually the pool of the next one.
    let pool: Pool | undefined;
    for (const [slot, id] of agent.pools.entries()) {
      if (pool?.id !== id) pool = pools.get(id);
      if (pool === undefined) {
        pool = newPool(agent, slot, id);
        pools.set(id, pool);
      }
      pool.slots += 1;
      if (!inUse?.has(slot)) pool.free += 1;
    }
  }
  return pools;
}

function newPool(agent: Agent, slot: number, id: string): Pool {
  const owner = agent.isolated ? agent.id : undefined;
  return { id, capability: capabilityOf(agent, slot), owner, slots: 0, free: 0, offered: 0, prefetch: 0 };
}

/** Whether a slot of the agent can run the sweep's trials. */
export function isEligibleSlot(sweep: Sweep, agent: Agent, slot: number): boolean {
  const id = agent.pools[slot] ?? '';
  return sweep.eligible.get(id) ?? isEligible(sweep, { id, capability: capabilityOf(agent, slot) });
}

/** Whether the pool's slots can run the sweep's trials. */
export function isEligible(sweep: Sweep, { id, capability }: Pick<Pool, 'id' | 'capability'>): boolean {
  const known = sweep.eligible.get(id);
  if (known !== undefined) return known;
  const found = shortfallsOf(sweep.policy, capability).length === 0;
  sweep.eligible.set(id, found);
  return found;
}

/** Returns the number of idle slots that can run the sweep's trials. */
export function freeSlotsFor(core: Core, sweep: Sweep): number {
  let free = 0;
  for (const agent of core.agents.values()) {
    if (!takesWork(core, agent)) continue;
    const inUse = core.slotsInUse.get(agent.id);
    for (const slot of agent.pools.keys()) if (!inUse?.has(slot) && isEligibleSlot(sweep, agent, slot)) free += 1;
  }
  return free;
}
