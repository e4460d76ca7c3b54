/**
 * Which trials are offered next, and to which pool. Of the sweeps that a pool suits the most urgent come first; those of
 * one priority share the slots by weight (share.ts); each one's trials go by index.
 */
import { join } from './joining.ts';
import type { AttemptKey, Core, Sweep, Trial } from './model.ts';
import { type Pool, presentPools, suits } from './pools.ts';
import { tagOf } from './share.ts';
import { Step } from './step.ts';
import { moveTrial, requeue } from './trials.ts';

/**
 * Offers that stand beyond a pool's free slots, for each slot there is: enough that a slot which falls free finds one
 * waiting, few enough that a pause or a more urgent sweep is felt at once.
 */
export const OFFERS_AHEAD_PER_SLOT = 1;

/** An offer that stands so long while slots of its pool are free is made to idle slots of another pool as well. */
export const IDLE_PATIENCE_MS = 5_000;

/** An offer that stands so long while slots are free will not be taken any more. */
export const OFFER_PATIENCE_MS = 30_000;

/** An offer, and the pool to whose queue it belongs. */
export interface StandingOffer {
  readonly pool: string;
  readonly key: AttemptKey;
}

/**
 * Fills each pool's window of offers. A sweep that no pool suits is passed over, so that it holds nobody up. A more
 * urgent sweep displaces what is offered of others.
 */
export function schedule(core: Core, now: number): Step {
  const step = new Step();
  const pools = presentPools(core);
  for (const sweep of core.sweeps.values()) withdrawHomeless(sweep, pools, step);
  const pass = { core, pools, now, step };
  for (const peers of byPriority(core)) {
    for (const sweep of peers) countOffers(sweep, pools);
    offerWaiting(pass, peers);
    offerToIdle(pass, peers);
  }
  return step;
}

interface Pass {
  readonly core: Core;
  readonly pools: ReadonlyMap<string, Pool>;
  readonly now: number;
  readonly step: Step;
}

/** Sweeps of one priority together, the most urgent first, each in order of submission. */
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

function offerWaiting(pass: Pass, peers: readonly Sweep[]): void {
  const { core, pools, now, step } = pass;
  const suitable = new Map(peers.map((sweep) => [sweep, [...pools.values()].filter((pool) => suits(sweep, pool))]));
  for (const [sweep, fit] of suitable) join(sweep, peers, fit, fit.length > 0 && couldBegin(sweep, now), now);
  for (let next = mostDue(core, suitable, now); next !== undefined; next = mostDue(core, suitable, now)) {
    const { sweep, pool } = next;
    const trial = nextReady(sweep, now);
    if (trial === undefined) break;
    sweep.ready.pop();
    moveTrial(sweep, trial, 'offered', step);
    place(pass, sweep, trial, pool);
  }
}

/** Of those of which something may be offered now, the one with the least tag. Who has no more room is left out of it. */
function mostDue(
  core: Core,
  suitable: Map<Sweep, readonly Pool[]>,
  now: number,
): { sweep: Sweep; pool: Pool } | undefined {
  let due: { sweep: Sweep; pool: Pool; tag: number } | undefined;
  for (const [sweep, pools] of suitable) {
    const pool = couldBegin(sweep, now) ? roomiest(pools) : undefined;
    const tag = tagOf(core, sweep, now);
    if (pool === undefined) suitable.delete(sweep);
    else if (due === undefined || tag < due.tag) due = { sweep, pool, tag };
  }
  return due;
}

/** Whether a trial of the sweep waits that may be offered. */
export function couldBegin(sweep: Sweep, now: number): boolean {
  return sweep.state === 'running' && roomFor(sweep) > 0 && nextReady(sweep, now) !== undefined;
}

function windowOf({ slots, free }: Pool): number {
  return free + slots * OFFERS_AHEAD_PER_SLOT;
}

/** Free slots without an offer come first, then those that will fall free. */
function roomiest(pools: readonly Pool[]): Pool | undefined {
  let best: Pool | undefined;
  for (const pool of pools) {
    if (pool.offered >= windowOf(pool)) continue;
    const idle = pool.free - pool.offered;
    if (best === undefined || idle > best.free - best.offered) best = pool;
  }
  return best;
}

/** The head of the queue, which it stays. */
function nextReady(sweep: Sweep, now: number): Trial | undefined {
  for (let trial = sweep.ready.peek(); trial !== undefined; trial = sweep.ready.peek()) {
    if (trial.state === 'pending' && trial.readyAt <= now) return trial;
    // Who was taken into a pack since, and waits for a retry now, comes back when it is due.
    sweep.ready.pop();
  }
  return undefined;
}

/** Puts an offer into a pool's queue; one of a less urgent sweep gives way where there are too many. */
function place({ core, now, step }: Pass, sweep: Sweep, trial: Trial, pool: Pool): void {
  trial.pool = pool.id;
  trial.offeredAt = now;
  pool.offered += 1;
  step.outputs.push({ kind: 'offer', pool: pool.id, key: keyOf(sweep, trial) });
  displace(core, sweep, pool, step);
}

function displace(core: Core, urgent: Sweep, pool: Pool, step: Step): void {
  let victim: { sweep: Sweep; trial: Trial } | undefined;
  let others = 0;
  for (const sweep of core.sweeps.values()) {
    if (sweep.priority >= urgent.priority) continue;
    for (const trial of sweep.offers) {
      if (trial.pool !== pool.id) continue;
      others += 1;
      // The newest of the least urgent.
      if (victim === undefined || sweep.priority <= victim.sweep.priority) victim = { sweep, trial };
    }
  }
  if (victim === undefined || pool.offered + others <= windowOf(pool)) return;
  requeue(victim.sweep, victim.trial, step, { detail: `sweep ${urgent.id} is more urgent` });
}

/** What was offered to a pool in which nobody takes work any more waits again. */
function withdrawHomeless(sweep: Sweep, pools: ReadonlyMap<string, Pool>, step: Step): void {
  for (const trial of sweep.offers) {
    if (trial.pool !== undefined && pools.has(trial.pool)) continue;
    requeue(sweep, trial, step, { detail: 'no agent that it was offered to takes work any more' });
  }
}

/**
 * Slots that nothing as urgent is left for take what was offered ahead to busy ones, and what others leave standing: an
 * agent that is there may yet pull nothing. The old offer stays in its queue: whoever claims first is granted the trial.
 */
function offerToIdle(pass: Pass, peers: readonly Sweep[]): void {
  for (const pool of pass.pools.values()) {
    for (const sweep of peers) {
      if (pool.free <= pool.offered) break;
      if (sweep.offers.size === 0 || !suits(sweep, pool)) continue;
      for (const trial of sweep.offers) {
        const from = pass.pools.get(trial.pool ?? '');
        const stands = pass.now - trial.offeredAt > IDLE_PATIENCE_MS;
        if (from === undefined || from === pool || (from.offered <= from.free && !stands)) continue;
        if (pool.free <= pool.offered) break;
        from.offered -= 1;
        place(pass, sweep, trial, pool);
      }
    }
  }
}

/**
 * The more urgent sweep of which something waits for a slot that claims: it must be granted that first. Its offer stands
 * behind the one that was claimed, or is about to be made.
 */
export function outranking(
  core: Core,
  sweep: Sweep,
  slot: Pick<Pool, 'id' | 'capability'>,
  now: number,
): Sweep | undefined {
  for (const other of core.sweeps.values()) {
    if (other.priority <= sweep.priority || other.state !== 'running' || !suits(other, slot)) continue;
    if (couldBegin(other, now) || [...other.offers].some(({ pool }) => pool === slot.id)) return other;
  }
  return undefined;
}

/**
 * The pools in which offers stand that nobody takes although slots are free: then the queue has lost them, whatever it
 * says of itself, and must be made anew. They count as made now.
 */
export function renewStuckOffers(core: Core, now: number): string[] {
  return [...presentPools(core).values()].flatMap(({ id, free }) => {
    if (free === 0) return [];
    const offered = [...core.sweeps.values()].flatMap(({ offers }) => [...offers].filter(({ pool }) => pool === id));
    if (!offered.some((trial) => now - trial.offeredAt > OFFER_PATIENCE_MS)) return [];
    for (const trial of offered) trial.offeredAt = now;
    return [id];
  });
}

/** Every pool in which offers may stand: those of all agents that are heard of. */
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

/** How many more trials of a sweep may be offered. */
export function roomFor(sweep: Sweep): number {
  if (sweep.policy.concurrency === undefined) return Number.POSITIVE_INFINITY;
  return sweep.policy.concurrency - sweep.counts.offered - sweep.counts.running;
}
