/** Starts and ends leases, and keeps the slots in use consistent with them. */
import { keyText } from '../../lib/domain/attempt-key.ts';
import type { Core, Lease, Trial } from './model.ts';

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

/** Returns the number of an agent's slots that run an attempt or a pack. */
export function busySlots(core: Core, agentId: string): number {
  return core.slotsInUse.get(agentId)?.size ?? 0;
}

/** Returns the other leases that were granted together with this one. */
export function packMatesOf(core: Core, lease: Lease): Lease[] {
  return [...core.leases.values()].filter((other) => other !== lease && other.pack === lease.pack);
}
