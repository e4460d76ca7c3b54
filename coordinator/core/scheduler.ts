/**
 * Decides which trials are offered next, and to which pool. Eligible sweeps of the highest priority come first. Sweeps
 * of one priority share the slots by weight (share.ts). The trials of a sweep are offered by index.
 */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { Core, Sweep, Trial } from './model.ts';
import { isEligible, type Pool, presentPools } from './pools.ts';
import { tagOf, updateDemand } from './share.ts';
import { type Change, type Output, type Step, stepOf } from './step.ts';
import { moveTrial, requeue } from './trials.ts';

/**
 * Number of offers per slot beyond a pool's free slots. It is high enough that a slot that becomes free finds an offer,
 * and low enough that a pause or a higher priority takes effect at once.
 */
export const OFFERS_AHEAD_PER_SLOT = 1;

/** After this time in milliseconds with free slots in its pool, an offer is also made to idle slots of another pool. */
export const IDLE_PATIENCE_MS = 5_000;

/** After this time in milliseconds with free slots in its pool, an offer counts as lost by the queue. */
export const OFFER_PATIENCE_MS = 30_000;

/** An offer, and the pool in whose queue it is. */
export interface StandingOffer {
  readonly pool: string;
  readonly key: AttemptKey;
}

/**
 * Fills each pool's window of offers. A sweep that no pool can run is skipped. Offers of a sweep of higher priority
 * displace those of lower priority.
 */
export function schedule(core: Core, now: number): Step {
  const pools = presentPools(core);
  const pass: Pass = { core, pools, now, changes: [], outputs: [] };
  for (const sweep of core.sweeps.values()) withdrawOrphanedOffers(pass, sweep);
  for (const peers of byPriority(core)) {
    for (const sweep of peers) countOffers(sweep, pools);
    offerPending(pass, peers);
    offerToIdle(pass, peers);
  }
  return stepOf(pass.changes, pass.outputs);
}

interface Pass {
  readonly core: Core;
  readonly pools: ReadonlyMap<string, Pool>;
  readonly now: number;
  readonly changes: Change[];
  readonly outputs: Output[];
}

function byPriority(core: Core): Sweep[][] {
  const classes = new Map<number, Sweep[]>();
  for (const sweep of core.sweeps.values()) {
    const peers = classes.get(sweep.priority);
    if (peers === undefined) classes.set(sweep.priority, [sweep]);
    else peers.push(sweep);
  }
  return [...classes].sort(([a], [b]) => b - a).map(([, peers]) => peers);
}

function countOffers(sweep: Sweep, pools: ReadonlyMap<string, Pool>): void {
  for (const trial of sweep.offers) {
    const pool = pools.get(trial.pool ?? '');
    if (pool !== undefined) pool.offered += 1;
  }
}

function offerPending(pass: Pass, peers: readonly Sweep[]): void {
  const { core, now } = pass;
  const all = [...pass.pools.values()];
  const eligible = new Map(peers.map((sweep) => [sweep, all.filter((pool) => isEligible(sweep, pool))]));
  for (const [sweep, pools] of eligible) {
    updateDemand(sweep, { peers, pools, hasDemand: pools.length > 0 && hasOfferableTrial(sweep, now) }, now);
  }
  for (let next = nextSweep(core, eligible, now); next !== undefined; next = nextSweep(core, eligible, now)) {
    const { sweep, pool } = next;
    const trial = nextReady(sweep, now);
    if (trial === undefined) break;
    sweep.ready.pop();
    pass.changes.push(moveTrial(sweep, trial, 'offered'));
    offerTo(pass, sweep, trial, pool);
  }
}

/** Returns the eligible sweep with the smallest tag. Removes sweeps that have no room left. */
function nextSweep(
  core: Core,
  eligible: Map<Sweep, readonly Pool[]>,
  now: number,
): { sweep: Sweep; pool: Pool } | undefined {
  let next: { sweep: Sweep; pool: Pool; tag: number } | undefined;
  for (const [sweep, pools] of eligible) {
    const pool = hasOfferableTrial(sweep, now) ? poolWithMostRoom(pools) : undefined;
    const tag = tagOf(core, sweep, now);
    if (pool === undefined) eligible.delete(sweep);
    else if (next === undefined || tag < next.tag) next = { sweep, pool, tag };
  }
  return next;
}

/** Whether the sweep has a pending trial that may be offered now. */
export function hasOfferableTrial(sweep: Sweep, now: number): boolean {
  return sweep.state === 'running' && remainingConcurrency(sweep) > 0 && nextReady(sweep, now) !== undefined;
}

function windowOf({ slots, free }: Pool): number {
  return free + slots * OFFERS_AHEAD_PER_SLOT;
}

function poolWithMostRoom(pools: readonly Pool[]): Pool | undefined {
  let best: Pool | undefined;
  for (const pool of pools) {
    if (pool.offered >= windowOf(pool)) continue;
    const idle = pool.free - pool.offered;
    if (best === undefined || idle > best.free - best.offered) best = pool;
  }
  return best;
}

/** Returns the next trial to offer. Discards trials that are no longer pending. */
function nextReady(sweep: Sweep, now: number): Trial | undefined {
  for (let trial = sweep.ready.peek(); trial !== undefined; trial = sweep.ready.peek()) {
    if (trial.state === 'pending' && trial.readyAt <= now) return trial;
    // A trial in backoff returns to the queue when its retry is due.
    sweep.ready.pop();
  }
  return undefined;
}

function offerTo(pass: Pass, sweep: Sweep, trial: Trial, pool: Pool): void {
  trial.pool = pool.id;
  trial.offeredAt = pass.now;
  pool.offered += 1;
  pass.outputs.push({ kind: 'offer', pool: pool.id, key: keyOf(sweep, trial) });
  displace(pass, sweep, pool);
}

/** Withdraws the newest offer of the lowest priority if the pool exceeds its window. */
function displace({ core, changes }: Pass, preferred: Sweep, pool: Pool): void {
  let victim: { sweep: Sweep; trial: Trial } | undefined;
  let lower = 0;
  for (const sweep of core.sweeps.values()) {
    if (sweep.priority >= preferred.priority) continue;
    for (const trial of sweep.offers) {
      if (trial.pool !== pool.id) continue;
      lower += 1;
      if (victim === undefined || sweep.priority <= victim.sweep.priority) victim = { sweep, trial };
    }
  }
  if (victim === undefined || pool.offered + lower <= windowOf(pool)) return;
  changes.push(requeue(victim.sweep, victim.trial, { detail: `sweep ${preferred.id} has higher priority` }));
}

function withdrawOrphanedOffers({ pools, changes }: Pass, sweep: Sweep): void {
  for (const trial of sweep.offers) {
    if (trial.pool !== undefined && pools.has(trial.pool)) continue;
    changes.push(requeue(sweep, trial, { detail: 'no agent that it was offered to takes work now' }));
  }
}

/**
 * Also makes offers to idle slots of other pools, because the agents of the first pool may not pull. The earlier offer
 * stays in its queue, and the first claim is granted the trial.
 */
function offerToIdle(pass: Pass, peers: readonly Sweep[]): void {
  for (const pool of pass.pools.values()) {
    for (const sweep of peers) {
      if (pool.free <= pool.offered) break;
      if (sweep.offers.size === 0 || !isEligible(sweep, pool)) continue;
      for (const trial of sweep.offers) {
        const from = pass.pools.get(trial.pool ?? '');
        const overdue = pass.now - trial.offeredAt > IDLE_PATIENCE_MS;
        if (from === undefined || from === pool || (from.offered <= from.free && !overdue)) continue;
        if (pool.free <= pool.offered) break;
        from.offered -= 1;
        offerTo(pass, sweep, trial, pool);
      }
    }
  }
}

/**
 * Returns a sweep of higher priority with a trial that the claiming slot must be granted first. The offer of this trial
 * is further back in the slot's queue, or will be made in the next pass.
 */
export function higherPrioritySweep(
  core: Core,
  sweep: Sweep,
  slot: Pick<Pool, 'id' | 'capability'>,
  now: number,
): Sweep | undefined {
  for (const other of core.sweeps.values()) {
    if (other.priority <= sweep.priority || other.state !== 'running' || !isEligible(other, slot)) continue;
    if (hasOfferableTrial(other, now) || [...other.offers].some(({ pool }) => pool === slot.id)) return other;
  }
  return undefined;
}

/**
 * Returns the pools whose queue must be recreated, because slots are free and no agent takes the offers, even if the
 * queue lists them. The offers of these pools count as made now.
 */
export function takeStuckPools(core: Core, now: number): string[] {
  return [...presentPools(core).values()].flatMap(({ id, free }) => {
    if (free === 0) return [];
    const offered = [...core.sweeps.values()].flatMap(({ offers }) => [...offers].filter(({ pool }) => pool === id));
    if (!offered.some((trial) => now - trial.offeredAt > OFFER_PATIENCE_MS)) return [];
    for (const trial of offered) trial.offeredAt = now;
    return [id];
  });
}

/** Returns the pools of all connected agents, whose queues can contain offers. */
export function livePools(core: Core): Set<string> {
  return new Set([...core.agents.values()].flatMap(({ state, pools }) => (state === 'connected' ? pools : [])));
}

export function standingOffers(core: Core): StandingOffer[] {
  return [...core.sweeps.values()].flatMap((sweep) =>
    [...sweep.offers].flatMap((trial) =>
      trial.pool === undefined ? [] : [{ pool: trial.pool, key: keyOf(sweep, trial) }],
    ),
  );
}

function keyOf(sweep: Sweep, trial: Trial): AttemptKey {
  return { sweepId: sweep.id, trialId: trial.id, attempt: trial.attempts + 1 };
}

/** Returns how many more trials of the sweep may be offered or running. */
export function remainingConcurrency(sweep: Sweep): number {
  if (sweep.policy.concurrency === undefined) return Number.POSITIVE_INFINITY;
  return sweep.policy.concurrency - sweep.counts.offered - sweep.counts.running;
}
