/**
 * Decides which trials are offered next, and to which pool. Eligible sweeps of the highest priority come first. Sweeps
 * of one priority share the slots by weight (share.ts). The trials of a sweep are offered in order of index.
 */
import type TinyQueue from 'tinyqueue';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { createTrials } from './create-trials.ts';
import type { Core, Sweep } from './model.ts';
import {
  agentsFor,
  agentsToIsolate,
  avoidKey,
  mayRunOn,
  type PlacementCandidates,
  placementCandidates,
} from './placement.ts';
import { isEligible, type Pool, poolsOf, presentPools } from './pools.ts';
import { orderReturns, updatePrefetch } from './prefetch.ts';
import { tagOf, updateDemand } from './share.ts';
import { offerSpeculative } from './speculation.ts';
import { type Change, type Output, type Step, stepOf } from './step.ts';
import type { Trial } from './trial-model.ts';
import { moveTrial, nextAttemptKey, remainingConcurrency, requeue } from './trials.ts';

/**
 * The number of offers that a pool gets for each of its slots, in addition to one offer per free slot and to the offers
 * that slots may take in advance (prefetch.ts). The number is high enough that a newly free slot finds an offer, and low
 * enough that a pause or a higher priority takes effect soon.
 */
export const OFFERS_AHEAD_PER_SLOT = 1;

/**
 * If no slot of an offer's pool has claimed the offer after this time, in milliseconds, the offer is also made to
 * another pool with idle slots. If the offer's pool has no free slot for the offer, the offer is made to the other pool
 * at once.
 */
export const IDLE_PATIENCE_MS = 5_000;

/**
 * If a pool has free slots and no slot has claimed an offer after this time, in milliseconds, the queue of the pool is
 * assumed to have lost the offer.
 */
export const OFFER_PATIENCE_MS = 30_000;

/**
 * Offers of a pool are withdrawn if, for EXCESS_PATIENCE_MS milliseconds, their number has been larger than MAX_EXCESS
 * times the pool's window. A smaller or shorter excess ends by itself, because agents take the offers, and because the
 * window follows the durations of the last few trials. In such a case, the writes of a withdrawal would cost more than
 * the withdrawal gains.
 */
const MAX_EXCESS = 2;
export const EXCESS_PATIENCE_MS = 2_000;

/** An offer, and the pool that the offer was made to. */
export interface OpenOffer {
  readonly pool: string;
  readonly key: AttemptKey;
}

/**
 * Creates trials before slots become free, and fills each pool's window of offers (see windowOf). A sweep is skipped if
 * no pool can run it. Offers of a sweep of higher priority displace offers of lower priority.
 */
export function schedule(core: Core, now: number): Step {
  const moved = isolate(core);
  const created = createTrials(core, now);
  const pools = presentPools(core);
  updatePrefetch(core, pools);
  const pass: Pass = {
    core,
    pools,
    now,
    candidates: new Map(),
    agents: new Map(),
    preferred: new Map(),
    changes: created,
    outputs: moved,
  };
  for (const sweep of core.sweeps.values()) withdrawOrphanedOffers(pass, sweep);
  withdrawExcessOffers(pass);
  for (const peers of byPriority(core)) {
    for (const sweep of peers) countOffers(sweep, pools);
    offerPending(pass, peers);
    offerToIdle(pass, peers);
    displaceOffers(pass);
    pass.outputs.push(...offerSpeculative(core, peers, pools, (sweep) => candidatesFor(pass, sweep), now));
  }
  return stepOf(pass.changes, [...pass.outputs, ...orderReturns(core, now)]);
}

interface Pass {
  readonly core: Core;
  readonly pools: ReadonlyMap<string, Pool>;
  readonly now: number;
  readonly candidates: Map<Sweep, PlacementCandidates>;
  /** The results of `agentsFor`, by sweep and by the agents that the trial avoids. */
  readonly agents: Map<string, ReadonlySet<string>>;
  /** By pool, the sweep of the last offer that was made in this pass. */
  readonly preferred: Map<Pool, Sweep>;
  readonly changes: Change[];
  readonly outputs: Output[];
}

/**
 * Moves the slots of agents that need their own pools (`agentsToIsolate`) to these pools, and the slots of all other
 * agents back to shared pools.
 */
function isolate(core: Core): Output[] {
  const isolated = agentsToIsolate(core);
  const outputs: Output[] = [];
  for (const agent of core.agents.values()) {
    if (agent.isolated === isolated.has(agent.id)) continue;
    agent.isolated = isolated.has(agent.id);
    agent.pools = poolsOf(agent);
    outputs.push({ kind: 'pools', agentId: agent.id });
  }
  return outputs;
}

function candidatesFor({ core, candidates, now }: Pass, sweep: Sweep): PlacementCandidates {
  const known = candidates.get(sweep) ?? placementCandidates(core, sweep, now);
  candidates.set(sweep, known);
  return known;
}

/**
 * Whether the sweep's trials may be offered to the pool at all. A pool whose agent may run only a probe gets one offer.
 */
function isOpenTo(pass: Pass, sweep: Sweep, pool: Pool): boolean {
  if (!isEligible(sweep, pool)) return false;
  if (pool.owner === undefined) return true;
  const { excluded, probes } = candidatesFor(pass, sweep);
  if (!excluded.has(pool.owner)) return true;
  return probes.has(pool.owner) && pool.offered === 0;
}

/** Whether the trial may be offered to the pool. Every trial of the sweep may be offered to a shared pool. */
function maySuit(pass: Pass, sweep: Sweep, trial: Trial, pool: Pool): boolean {
  if (pool.owner === undefined) return true;
  const key = `${sweep.id} ${avoidKey(trial)}`;
  const agents = pass.agents.get(key) ?? agentsFor(pass.core, sweep, trial, candidatesFor(pass, sweep), pass.now);
  pass.agents.set(key, agents);
  return agents.has(pool.owner);
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
  const { now } = pass;
  const all = [...pass.pools.values()];
  const eligible = new Map(peers.map((sweep) => [sweep, all.filter((pool) => isOpenTo(pass, sweep, pool))]));
  for (const [sweep, pools] of eligible) {
    updateDemand(sweep, { peers, pools, hasDemand: pools.length > 0 && hasOfferableTrial(sweep, now) }, now);
  }
  for (let next = nextOffer(pass, eligible); next !== undefined; next = nextOffer(pass, eligible)) {
    const { sweep, trial, pool, queue } = next;
    queue.pop();
    pass.changes.push(moveTrial(sweep, trial, 'offered'));
    trial.earlierPools = [];
    offerTo(pass, sweep, trial, pool);
  }
}

interface NextOffer {
  readonly sweep: Sweep;
  readonly trial: Trial;
  readonly pool: Pool;
  /** The queue that has the trial at its head. */
  readonly queue: TinyQueue<Trial>;
}

/**
 * Returns the next offer, which belongs to the sweep with the smallest tag (share.ts). Sweeps for which no further
 * offer is possible in this pass are removed from `eligible`.
 */
function nextOffer(pass: Pass, eligible: Map<Sweep, readonly Pool[]>): NextOffer | undefined {
  let next: (NextOffer & { readonly tag: number }) | undefined;
  for (const [sweep, pools] of eligible) {
    const offer = nextOfferOf(pass, sweep, pools);
    if (offer === undefined) {
      eligible.delete(sweep);
      continue;
    }
    const tag = tagOf(pass.core, sweep, pass.now);
    if (next === undefined || tag < next.tag) next = { ...offer, tag };
  }
  return next;
}

/** Returns the offer of the sweep's first pending trial for which a pool has room. */
function nextOfferOf(pass: Pass, sweep: Sweep, pools: readonly Pool[]): NextOffer | undefined {
  if (!mayOffer(sweep)) return undefined;
  let next: NextOffer | undefined;
  for (const queue of readyQueues(sweep)) {
    const trial = nextReady(sweep, queue, pass.now);
    if (trial === undefined || (next !== undefined && next.trial.index < trial.index)) continue;
    const pool = poolWithMostRoom(
      pools.filter((one) => isOpenTo(pass, sweep, one) && maySuit(pass, sweep, trial, one)),
    );
    if (pool !== undefined) next = { sweep, trial, pool, queue };
  }
  return next;
}

function mayOffer(sweep: Sweep): boolean {
  return sweep.state === 'running' && remainingConcurrency(sweep) > 0;
}

function readyQueues(sweep: Sweep): TinyQueue<Trial>[] {
  return [sweep.ready, ...sweep.readyElsewhere.values()];
}

/** Whether the sweep has a pending trial that may be offered now. */
export function hasOfferableTrial(sweep: Sweep, now: number): boolean {
  return mayOffer(sweep) && readyQueues(sweep).some((queue) => nextReady(sweep, queue, now) !== undefined);
}

/** Whether the sweep has a pending trial that may be offered to the agent now. */
function hasOfferableTrialFor(core: Core, sweep: Sweep, agentId: string, now: number): boolean {
  if (!hasOfferableTrial(sweep, now)) return false;
  const agent = core.agents.get(agentId);
  if (agent === undefined) return false;
  return readyQueues(sweep).some((queue) => {
    const trial = nextReady(sweep, queue, now);
    return trial !== undefined && mayRunOn(core, sweep, trial, agent, now);
  });
}

function windowOf({ slots, free, prefetch }: Pool): number {
  return free + slots * (OFFERS_AHEAD_PER_SLOT + prefetch);
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

/** Returns the first trial of the queue that can be offered now. Trials before it are removed from the queue. */
function nextReady(sweep: Sweep, queue: TinyQueue<Trial>, now: number): Trial | undefined {
  for (let trial = queue.peek(); trial !== undefined; trial = queue.peek()) {
    const avoided = avoidKey(trial);
    const isOwnQueue = queue === (avoided === '' ? sweep.ready : sweep.readyElsewhere.get(avoided));
    if (trial.state === 'pending' && trial.readyAt <= now && isOwnQueue) return trial;
    // A trial in backoff returns to the queue when its retry is due.
    queue.pop();
  }
  return undefined;
}

function offerTo(pass: Pass, sweep: Sweep, trial: Trial, pool: Pool): void {
  trial.pool = pool.id;
  trial.offeredAt = pass.now;
  pool.offered += 1;
  pass.outputs.push({ kind: 'offer', pool: pool.id, key: nextAttemptKey(sweep, trial) });
  pass.preferred.set(pool, sweep);
}

/**
 * In each pool that got an offer in this pass, withdraws as many offers of lower priority as exceed the pool's window.
 */
function displaceOffers(pass: Pass): void {
  for (const [pool, { id, priority }] of pass.preferred) {
    const lower = lastToGrant(pass.core, pool, (sweep) => sweep.priority < priority);
    const excess = pool.offered + lower.length - windowOf(pool);
    withdraw(pass, lower.slice(0, Math.max(0, excess)), `sweep ${id} has higher priority`);
  }
  pass.preferred.clear();
}

/**
 * Withdraws offers of pools whose windows became much smaller, for example because a sweep with long trials arrived.
 * Otherwise, an agent would have to claim all earlier offers in the pool's queue before it reaches the offers of a new
 * sweep.
 */
function withdrawExcessOffers(pass: Pass): void {
  const { excessSince } = pass.core;
  const counts = new Map<string, number>();
  for (const { offers } of pass.core.sweeps.values()) {
    for (const { pool = '' } of offers) counts.set(pool, (counts.get(pool) ?? 0) + 1);
  }
  for (const id of excessSince.keys()) if (!counts.has(id)) excessSince.delete(id);
  for (const [id, count] of counts) {
    const pool = pass.pools.get(id);
    const isExcessive = pool !== undefined && count > MAX_EXCESS * windowOf(pool);
    const since = excessSince.get(id) ?? pass.now;
    if (!isExcessive) excessSince.delete(id);
    else if (pass.now - since < EXCESS_PATIENCE_MS) excessSince.set(id, since);
    else {
      excessSince.delete(id);
      const excess = lastToGrant(pass.core, pool, () => true).slice(0, count - windowOf(pool));
      withdraw(pass, excess, 'the slots take fewer offers in advance now');
    }
  }
}

interface OfferedTrial {
  readonly sweep: Sweep;
  readonly trial: Trial;
}

/**
 * Returns the pool's offers from the included sweeps. The lowest priority is first. Within each priority, the newest
 * offer is first.
 */
function lastToGrant({ sweeps }: Core, { id }: Pool, isIncluded: (sweep: Sweep) => boolean): OfferedTrial[] {
  const offers = [...sweeps.values()].filter(isIncluded).flatMap((sweep) => {
    const own = [...sweep.offers].filter(({ pool }) => pool === id);
    return own.map((trial): OfferedTrial => ({ sweep, trial }));
  });
  return offers.reverse().sort((a, b) => a.sweep.priority - b.sweep.priority || b.trial.offeredAt - a.trial.offeredAt);
}

function withdraw({ changes }: Pass, offers: readonly OfferedTrial[], detail: string): void {
  for (const { sweep, trial } of offers) changes.push(requeue(sweep, trial, { detail }));
}

function withdrawOrphanedOffers(pass: Pass, sweep: Sweep): void {
  for (const trial of sweep.offers) {
    const pool = pass.pools.get(trial.pool ?? '');
    if (pool !== undefined && maySuit(pass, sweep, trial, pool)) continue;
    const detail =
      pool === undefined
        ? 'no agent to which it was offered takes work now'
        : `it must run on an agent other than ${pool.owner ?? ''}`;
    pass.changes.push(requeue(sweep, trial, { detail }));
  }
}

/**
 * Offers trials to pools with idle slots although the trials are already offered to another pool. The agents of that
 * pool may never pull the offers. The earlier offer stays in its queue, and the trial is granted to the first claim.
 */
function offerToIdle(pass: Pass, peers: readonly Sweep[]): void {
  for (const pool of pass.pools.values()) {
    for (const sweep of peers) {
      if (pool.free <= pool.offered) break;
      if (sweep.offers.size === 0 || !isOpenTo(pass, sweep, pool)) continue;
      for (const trial of sweep.offers) {
        if (trial.earlierPools.includes(pool.id) || !maySuit(pass, sweep, trial, pool)) continue;
        const from = pass.pools.get(trial.pool ?? '');
        const overdue = pass.now - trial.offeredAt > IDLE_PATIENCE_MS;
        if (from === undefined || from === pool || (from.offered <= from.free && !overdue)) continue;
        if (pool.free <= pool.offered) break;
        from.offered -= 1;
        trial.earlierPools = [...trial.earlierPools, from.id];
        offerTo(pass, sweep, trial, pool);
      }
    }
  }
}

/**
 * If a trial of another sweep must be granted to the claiming slot first, returns that sweep. The offer of that trial
 * is further back in the slot's queue, or will be made in the next pass.
 * @param isPreferred whether the trials of a sweep have precedence over the claimed trial
 */
export function preferredSweep(
  core: Core,
  isPreferred: (sweep: Sweep) => boolean,
  slot: Pick<Pool, 'id' | 'capability'> & { readonly agentId: string },
  now: number,
): Sweep | undefined {
  for (const other of core.sweeps.values()) {
    if (!isPreferred(other) || other.state !== 'running' || !isEligible(other, slot)) continue;
    if (hasOfferableTrialFor(core, other, slot.agentId, now)) return other;
    if ([...other.offers].some(({ pool }) => pool === slot.id)) return other;
  }
  return undefined;
}

/**
 * Returns the pools whose queues must be recreated. Such a pool has free slots, but no agent takes its offers, so its
 * queue may have lost the offers. Sets the time of each of these offers to the current time, so that each new queue has
 * the full OFFER_PATIENCE_MS.
 */
export function takeStuckPools(core: Core, now: number): string[] {
  return [...presentPools(core).values()].flatMap(({ id, free }) => {
    if (free === 0) return [];
    const sweeps = [...core.sweeps.values()];
    const offered = sweeps.flatMap(({ offers }) => [...offers].filter(({ pool }) => pool === id));
    const speculative = sweeps.flatMap(({ speculations }) =>
      [...speculations].flatMap(({ speculativeOffer }) => (speculativeOffer?.pool === id ? speculativeOffer : [])),
    );
    if (![...offered, ...speculative].some(({ offeredAt }) => now - offeredAt > OFFER_PATIENCE_MS)) return [];
    for (const trial of offered) {
      trial.offeredAt = now;
      trial.earlierPools = [];
    }
    for (const offer of speculative) offer.offeredAt = now;
    return [id];
  });
}

/** Returns the pools of all connected agents. The queues of these pools can contain offers. */
export function livePools(core: Core): Set<string> {
  const live = new Set<string>();
  for (const { state, pools } of core.agents.values()) {
    if (state === 'connected') for (const pool of pools) live.add(pool);
  }
  return live;
}

export function openOffers(core: Core): OpenOffer[] {
  return [...core.sweeps.values()].flatMap((sweep) =>
    [...sweep.offers, ...sweep.speculations].flatMap((trial) => {
      const pool = trial.state === 'offered' ? trial.pool : trial.speculativeOffer?.pool;
      return pool === undefined ? [] : [{ pool, key: nextAttemptKey(sweep, trial) }];
    }),
  );
}
