/** Starts and ends leases, and keeps `leasesByAgent` and `slotsInUse` consistent with them. */
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import type { Lease, SlotUsage } from './attempt-model.ts';
import type { Core, Sweep } from './model.ts';
import { startSlotUsage } from './share.ts';
import type { Trial } from './trial-model.ts';

/** Adds a lease. If the trial already has a lease, the new lease is for its speculative attempt. */
export function addLease(core: Core, sweep: Sweep, trial: Trial, lease: Lease): void {
  if (trial.lease === undefined) trial.lease = lease;
  else {
    trial.speculation = lease;
    sweep.speculations.add(trial);
  }
  core.leases.set(keyText(lease.key), lease);
  const own = core.leasesByAgent.get(lease.agentId);
  if (own === undefined) core.leasesByAgent.set(lease.agentId, new Set([lease]));
  else own.add(lease);
  const slots = core.slotsInUse.get(lease.agentId) ?? new Map<number, SlotUsage[]>();
  core.slotsInUse.set(lease.agentId, slots);
  const usages = slots.get(lease.slot);
  lease.usage.leases += 1;
  if (!isQueued(lease)) sweep.slotTime.attempts += 1;
  if (usages === undefined) slots.set(lease.slot, [lease.usage]);
  else if (!usages.includes(lease.usage)) usages.push(lease.usage);
}

/**
 * Removes a lease. If the lease of a trial's first attempt is removed, the lease of the speculative attempt becomes
 * `trial.lease`.
 */
export function dropLease(core: Core, sweep: Sweep, trial: Trial, lease: Lease): void {
  if (trial.lease === lease) trial.lease = trial.speculation;
  trial.speculation = undefined;
  sweep.speculations.delete(trial);
  core.leases.delete(keyText(lease.key));
  const own = core.leasesByAgent.get(lease.agentId);
  own?.delete(lease);
  if (own?.size === 0) core.leasesByAgent.delete(lease.agentId);
  lease.usage.leases -= 1;
  if (!isQueued(lease)) sweep.slotTime.attempts -= 1;
  if (lease.usage.leases > 0) return;
  const slots = core.slotsInUse.get(lease.agentId);
  const left = slots?.get(lease.slot)?.filter((usage) => usage !== lease.usage) ?? [];
  if (left.length > 0) slots?.set(lease.slot, left);
  else slots?.delete(lease.slot);
  if (slots?.size === 0) core.slotsInUse.delete(lease.agentId);
}

/**
 * Starts the oldest attempt or pack that was granted to this slot and this process of the agent (`incarnation`), unless
 * it has started already. A process runs the attempts of a slot in the order of their grants. If another process has
 * replaced this process, nothing starts. Without this rule, a late record of the earlier process could start an attempt
 * that never ran, and the loss of that attempt would be charged to its trial. The caller must have received a message
 * that shows that the agent still runs, so that no attempt of a dead agent starts.
 */
export function startOldest(
  core: Core,
  { agentId, incarnation, slot }: Pick<Lease, 'agentId' | 'incarnation' | 'slot'>,
  now: number,
): void {
  const agent = core.agents.get(agentId);
  // After a takeover, heartbeats can arrive before the agent has connected again, so the agent may be unknown.
  if (agent !== undefined && agent.incarnation !== incarnation) return;
  const usages = core.slotsInUse.get(agentId)?.get(slot) ?? [];
  const usage = usages.find((one) => one.incarnation === incarnation);
  const sweep = usage && core.sweeps.get(usage.sweepId);
  if (usage !== undefined && sweep !== undefined) startSlotUsage(sweep, usage, now);
}

/** Whether the lease waits in the queue of its slot. */
export function isQueued({ usage }: Pick<Lease, 'usage'>): boolean {
  return usage.startedAt === undefined;
}

/**
 * Returns the time when the slot began to run the attempt, or `queued` if the attempt has not started. Undefined if the
 * attempt holds no lease.
 */
export function startOfAttempt(core: Core, key: AttemptKey): number | 'queued' | undefined {
  const lease = core.leases.get(keyText(key));
  return lease && (lease.usage.startedAt ?? 'queued');
}

/** Returns the leases of a trial: none, one, or two if the trial has a speculative attempt. */
export function leasesOf({ lease, speculation }: Trial): Lease[] {
  return [lease, speculation].filter((one) => one !== undefined);
}

const NONE: ReadonlySet<Lease> = new Set();

/** Returns the leases that an agent holds. */
export function agentLeases(core: Core, agentId: string): ReadonlySet<Lease> {
  return core.leasesByAgent.get(agentId) ?? NONE;
}

/** Returns the number of an agent's slots that hold an attempt or a pack. */
export function busySlots(core: Core, agentId: string): number {
  return core.slotsInUse.get(agentId)?.size ?? 0;
}

/** Returns the other leases that were granted in the same pack. */
export function packMatesOf(core: Core, lease: Lease): Lease[] {
  return [...agentLeases(core, lease.agentId)].filter((other) => other !== lease && other.pack === lease.pack);
}
