/** Which trials are offered next, and to which pool. */
import type { AttemptKey, Core, Sweep, Trial } from './model.ts';
import { type Pool, presentPools, suits } from './pools.ts';
import { Step } from './step.ts';
import { moveTrial, requeue } from './trials.ts';

/**
 * Offers that stand beyond a pool's free slots, for each slot there is: enough that a slot which falls free finds one
 * waiting, few enough that a pause or a more urgent sweep is felt at once.
 */
export const OFFERS_AHEAD_PER_SLOT = 1;

/** An offer that stands so long while slots are free will not be taken any more. */
export const OFFER_PATIENCE_MS = 30_000;

/** An offer, and the pool to whose queue it belongs. */
export interface StandingOffer {
  readonly pool: string;
  readonly key: AttemptKey;
}

/**
 * Fills each pool's window of offers: sweeps in order of submission, each one's trials by index. A sweep that no pool
 * suits is passed over, so that it holds nobody up.
 */
export function schedule(core: Core, now: number): Step {
  const step = new Step();
  const pools = presentPools(core);
  for (const sweep of core.sweeps.values()) withdrawHomeless(sweep, pools, step);
  for (const sweep of core.sweeps.values()) {
    if (sweep.state !== 'running') continue;
    const suitable = [...pools.values()].filter((pool) => suits(sweep, pool));
    for (let room = roomFor(sweep); room > 0; room -= 1) {
      const pool = roomiest(suitable);
      const trial = pool && nextReady(sweep, now);
      if (pool === undefined || trial === undefined) break;
      moveTrial(sweep, trial, 'offered', step);
      offer(sweep, trial, pool, now, step);
    }
  }
  moveToIdle(core, pools, now, step);
  return step;
}

/** How many more offers should stand in a pool. */
function roomIn({ slots, free, offered }: Pool): number {
  return free + slots * OFFERS_AHEAD_PER_SLOT - offered;
}

/** Free slots without an offer come first, then those that will fall free. */
function roomiest(pools: readonly Pool[]): Pool | undefined {
  let best: Pool | undefined;
  for (const pool of pools) {
    if (roomIn(pool) <= 0) continue;
    const idle = pool.free - pool.offered;
    if (best === undefined || idle > best.free - best.offered) best = pool;
  }
  return best;
}

function nextReady(sweep: Sweep, now: number): Trial | undefined {
  for (let trial = sweep.ready.pop(); trial !== undefined; trial = sweep.ready.pop()) {
    // Who was taken into a pack since, and waits for a retry now, comes back when it is due.
    if (trial.state === 'pending' && trial.readyAt <= now) return trial;
  }
  return undefined;
}

function offer(sweep: Sweep, trial: Trial, pool: Pool, now: number, step: Step): void {
  trial.pool = pool.id;
  trial.offeredAt = now;
  pool.offered += 1;
  step.outputs.push({ kind: 'offer', pool: pool.id, key: keyOf(sweep, trial) });
}

/** What was offered to a pool in which nobody takes work any more waits again. */
function withdrawHomeless(sweep: Sweep, pools: ReadonlyMap<string, Pool>, step: Step): void {
  for (const trial of sweep.offers) {
    if (trial.pool !== undefined && pools.has(trial.pool)) continue;
    requeue(sweep, trial, step, { detail: 'no agent that it was offered to takes work any more' });
  }
}

/**
 * Slots that nothing is left for take what was offered ahead to busy ones. The old offer stays in its queue: whoever
 * claims first is granted the trial.
 */
function moveToIdle(core: Core, pools: ReadonlyMap<string, Pool>, now: number, step: Step): void {
  for (const pool of pools.values()) {
    if (pool.free <= pool.offered) continue;
    for (const sweep of core.sweeps.values()) {
      if (sweep.offers.size === 0 || !suits(sweep, pool)) continue;
      for (const trial of sweep.offers) {
        const from = pools.get(trial.pool ?? '');
        if (from === undefined || from === pool || from.offered <= from.free) continue;
        if (pool.free <= pool.offered) break;
        from.offered -= 1;
        offer(sweep, trial, pool, now, step);
      }
    }
  }
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
