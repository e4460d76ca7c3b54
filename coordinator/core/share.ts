/**
 * Shares the slots fairly among sweeps of one priority, by start-time fair queuing over slot time (P. Goyal, H. M. Vin,
 * H. Cheng: "Start-time Fair Queuing", SIGCOMM 1996). All slots serve attempts at the same time, as in the variant
 * SFQ(D) (W. Jin, J. S. Chase, J. Kaur: "Interposed Proportional Sharing for a Storage Service Utility", SIGMETRICS
 * 2004).
 *
 * The **level** of a sweep is its used slot time divided by its weight, plus `base` (model.ts). The **tag** of a sweep
 * is its expected level when all of its current attempts and offers have ended. Each of them is expected to take the
 * average duration of the sweep's earlier attempts. The next offer goes to the sweep with the smallest tag. The time of
 * a pack counts once, however many trials the pack has. Shares are not stored. After a restart, only the running
 * attempts of a sweep count.
 */
import type { AttemptEnd, Lease, SlotUsage } from './attempt-model.ts';
import type { DurationEstimate, Share, Sweep } from './model.ts';
import { isEligible, type Pool } from './pools.ts';
import { beginSlotTime, endSlotTime, type UsedSlotTime } from './slot-time.ts';

const INITIAL_ESTIMATE_MS = 60_000;
const NEWEST_WEIGHT = 0.25;

export function newShare(): Share {
  return {
    base: 0,
    doneMs: 0,
    queuedSlots: 0,
    activeSlots: 0,
    startedAtSum: 0,
    meanMs: undefined,
    success: { meanMs: undefined },
    hasDemand: false,
  };
}

/** Creates the usage of a granted attempt or pack of the sweep. The new usage is queued, and has no lease yet. */
export function newSlotUsage(
  { id, share }: Sweep,
  { incarnation, gpus, grantedAt }: Pick<SlotUsage, 'incarnation' | 'gpus' | 'grantedAt'>,
): SlotUsage {
  share.queuedSlots += 1;
  return {
    sweepId: id,
    incarnation,
    grantedAt,
    startedAt: undefined,
    countedFrom: grantedAt,
    returnOrderedAt: undefined,
    ranUntil: undefined,
    gpus,
    leases: 0,
  };
}

/**
 * Records that a slot starts to run an attempt or a pack of the sweep. Does nothing if the attempt or the pack has
 * started already.
 */
export function startSlotUsage({ share, slotTime }: Sweep, usage: SlotUsage, now: number, startedAt = now): void {
  if (usage.startedAt !== undefined) return;
  usage.startedAt = startedAt;
  usage.countedFrom = now;
  share.queuedSlots -= 1;
  share.activeSlots += 1;
  share.startedAtSum += now;
  slotTime.attempts += usage.leases;
  beginSlotTime(slotTime, { startedAt, gpus: usage.gpus });
}

/**
 * Records the end of a usage, after its last lease has ended. A returned attempt never ran, even if it counted as
 * started. If all attempts of the usage were returned, the usage has no slot time and no duration.
 * @param outcome the outcome of the attempt that ended last
 * @returns the slot time of the usage; undefined if the usage was only queued, or if all of its attempts were returned
 */
export function endSlotUsage(
  estimate: DurationEstimate,
  { share, slotTime }: Sweep,
  { usage }: Pick<Lease, 'usage'>,
  outcome: AttemptEnd['outcome'],
): UsedSlotTime | undefined {
  const { startedAt, countedFrom, gpus, ranUntil } = usage;
  if (startedAt === undefined) {
    share.queuedSlots -= 1;
    return undefined;
  }
  share.activeSlots -= 1;
  share.startedAtSum -= countedFrom;
  if (ranUntil === undefined) {
    endSlotTime(slotTime, { startedAt, gpus }, startedAt);
    return undefined;
  }
  const durationMs = Math.max(0, ranUntil - countedFrom);
  share.doneMs += durationMs;
  addDuration(share, durationMs);
  addDuration(estimate, durationMs);
  if (outcome === 'succeeded') addDuration(share.success, durationMs);
  return endSlotTime(slotTime, { startedAt, gpus }, ranUntil);
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
  const activeOrMeanMs = Math.max(share.activeSlots * eachMs, activeMs(share, now));
  const committedMs = activeOrMeanMs + (share.queuedSlots + offers.size) * eachMs;
  return share.base + (share.doneMs + committedMs) / policy.weight;
}

/** Returns the slot time that the running usages have used so far, in milliseconds. */
function activeMs({ activeSlots, startedAtSum }: Share, now: number): number {
  return Math.max(0, activeSlots * now - startedAtSum);
}

/**
 * Updates whether the sweep has demand for slots. If a sweep that gains demand has a lower level than its peers, its
 * level is raised to theirs, so that it gets no credit for the time before its submission or for the time of a pause.
 * In each pool, the peer with the lowest level is the next to get a slot. The sweep's level is raised to the highest of
 * these lowest levels.
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

/** Resets the level of a sweep whose priority or weight changes. The sweep joins its peers like a new sweep. */
export function resetLevel(sweep: Sweep, now: number): void {
  sweep.share.base -= levelOf(sweep, now);
  sweep.share.hasDemand = false;
}
