/**
 * Shares the slots fairly among sweeps of one priority, by start-time fair queuing over slot time (P. Goyal, H. M. Vin,
 * H. Cheng: "Start-time Fair Queuing", SIGCOMM 1996). All slots serve attempts at the same time, as in the variant
 * SFQ(D) (W. Jin, J. S. Chase, J. Kaur: "Interposed Proportional Sharing for a Storage Service Utility", SIGMETRICS
 * 2004).
 *
 * The **level** of a sweep is the slot time that it has used, divided by its weight. Its **tag** is the level that it
 * will have when all of its current attempts and offers have ended. The next offer goes to the sweep with the smallest
 * tag. The average duration of the sweep's attempts is the estimate for its next attempt. A pack counts as the time of
 * one slot. Shares are not stored. After a restart, only the running attempts of a sweep count.
 */
import type { Lease, SlotUsage } from './attempt-model.ts';
import type { DurationEstimate, Share, Sweep } from './model.ts';
import { isEligible, type Pool } from './pools.ts';
import { beginSlotTime, endSlotTime, type UsedSlotTime } from './slot-time.ts';

const INITIAL_ESTIMATE_MS = 60_000;
const NEWEST_WEIGHT = 0.25;

export function newShare(): Share {
  return { base: 0, doneMs: 0, activeSlots: 0, startedAtSum: 0, meanMs: undefined, hasDemand: false };
}

/**
 * Records that a slot starts to run an attempt or a pack of the sweep.
 * @param gpus the number of GPUs of the slot
 * @param grantedAt the time when the attempt was granted; default: now
 */
export function beginSlotUsage({ share, slotTime }: Sweep, gpus: number, now: number, grantedAt = now): SlotUsage {
  share.activeSlots += 1;
  share.startedAtSum += now;
  const usage = { startedAt: now, grantedAt, gpus, leases: 1 };
  beginSlotTime(slotTime, usage);
  return usage;
}

/**
 * Records the end of a lease. A slot usage ends with its last lease.
 * @returns the slot time of the usage; undefined if other leases of the usage have not ended
 */
export function endSlotUsage(
  estimate: DurationEstimate,
  { share, slotTime }: Sweep,
  { usage }: Lease,
  now: number,
): UsedSlotTime | undefined {
  usage.leases -= 1;
  if (usage.leases > 0) return undefined;
  const durationMs = Math.max(0, now - usage.startedAt);
  share.activeSlots -= 1;
  share.startedAtSum -= usage.startedAt;
  share.doneMs += durationMs;
  addDuration(share, durationMs);
  addDuration(estimate, durationMs);
  return endSlotTime(slotTime, usage, now);
}

function addDuration(estimate: DurationEstimate, durationMs: number): void {
  const { meanMs } = estimate;
  estimate.meanMs = meanMs === undefined ? durationMs : meanMs + NEWEST_WEIGHT * (durationMs - meanMs);
}

function levelOf({ share, policy }: Sweep, now: number): number {
  return share.base + (share.doneMs + activeMs(share, now)) / policy.weight;
}

export function tagOf({ meanMs }: DurationEstimate, { share, policy, offers }: Sweep, now: number): number {
  const eachMs = share.meanMs ?? meanMs ?? INITIAL_ESTIMATE_MS;
  const committedMs = Math.max(share.activeSlots * eachMs, activeMs(share, now)) + offers.size * eachMs;
  return share.base + (share.doneMs + committedMs) / policy.weight;
}

/** Returns the slot time of the usages that have not ended, up to now and in milliseconds. */
function activeMs({ activeSlots, startedAtSum }: Share, now: number): number {
  return Math.max(0, activeSlots * now - startedAtSum);
}

/**
 * Updates whether the sweep has demand for slots. A sweep that gains demand joins at the level of its peers, so that it
 * gets no credit for the time before its submission or while it was paused. In each pool, the peer with the lowest
 * level is the next to get a slot. The sweep joins at the highest of these lowest levels.
 * @param peers the sweeps of this priority, including this one
 * @param pools the pools that can run the sweep's trials
 * @param hasDemand whether one of the pools could run a pending trial of the sweep
 */
export function updateDemand(
  sweep: Sweep,
  { peers, pools, hasDemand }: { peers: readonly Sweep[]; pools: readonly Pool[]; hasDemand: boolean },
  now: number,
): void {
  if (hasDemand && !sweep.share.hasDemand) {
    for (const pool of pools) {
      const rivals = peers.filter((peer) => peer !== sweep && peer.share.hasDemand && isEligible(peer, pool));
      if (rivals.length > 0) raiseLevel(sweep, Math.min(...rivals.map((peer) => levelOf(peer, now))), now);
    }
  }
  sweep.share.hasDemand = hasDemand;
}

function raiseLevel(sweep: Sweep, minimum: number, now: number): void {
  sweep.share.base += Math.max(0, minimum - levelOf(sweep, now));
}

/** Resets the level of a sweep whose priority changes. The sweep joins its new peers like a new sweep. */
export function resetLevel(sweep: Sweep, now: number): void {
  sweep.share.base -= levelOf(sweep, now);
  sweep.share.hasDemand = false;
}
