/** Where leases begin and end, so that the slots in use always agree with them. */

import { type Agent, type Core, keyText, type Lease, type Trial } from './model.ts';

export function newCore(leaseMs: number): Core {
  return {
    sweeps: new Map(),
    agents: new Map(),
    drains: new Map(),
    leases: new Map(),
    slotsInUse: new Map(),
    listeningSince: Number.NEGATIVE_INFINITY,
    meanMs: undefined,
    leaseMs,
  };
}

export function addLease(core: Core, trial: Trial, lease: Lease): void {
  trial.lease = lease;
  core.leases.set(keyText(lease.key), lease);
  const slots = core.slotsInUse.get(lease.agentId) ?? new Map<number, number>();
  core.slotsInUse.set(lease.agentId, slots.set(lease.slot, (slots.get(lease.slot) ?? 0) + 1));
}

export function dropLease(core: Core, trial: Trial, lease: Lease): void {
  trial.lease = undefined;
  core.leases.delete(keyText(lease.key));
  const slots = core.slotsInUse.get(lease.agentId);
  const left = (slots?.get(lease.slot) ?? 1) - 1;
  if (left > 0) slots?.set(lease.slot, left);
  else slots?.delete(lease.slot);
  if (slots?.size === 0) core.slotsInUse.delete(lease.agentId);
}

/** Slots of an agent that run something. */
export function busySlots(core: Core, agentId: string): number {
  return core.slotsInUse.get(agentId)?.size ?? 0;
}

export function isDraining(core: Core, agent: Agent): boolean {
  return agent.leaving || core.drains.has(agent.id);
}

/** Whether anything is to be offered for the agent. */
export function takesWork(core: Core, agent: Agent): boolean {
  return agent.state === 'connected' && !isDraining(core, agent);
}
