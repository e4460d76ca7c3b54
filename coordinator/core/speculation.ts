/**
 * Decides which stragglers are run a second time, and where. A second attempt uses only a slot that no pending trial of
 * the same or a higher priority can use. A trial has at most one speculative attempt.
 */
import type { Core, Sweep } from './model.ts';
import { agentsForSpeculation, type PlacementCandidates } from './placement.ts';
import { isEligible, type Pool } from './pools.ts';
import type { Output } from './step.ts';
import { speculationCandidates } from './stragglers.ts';
import type { Trial } from './trial-model.ts';
import { nextAttemptKey, remainingConcurrency, withdrawSpeculativeOffer } from './trials.ts';

/**
 * Offers speculative attempts to idle slots, and withdraws these offers when pending trials need the slots. The caller
 * must first offer the pending trials of `peers` and of all sweeps of higher priority.
 */
export function offerSpeculative(
  core: Core,
  peers: readonly Sweep[],
  pools: ReadonlyMap<string, Pool>,
  candidatesOf: (sweep: Sweep) => PlacementCandidates,
  now: number,
): Output[] {
  const outputs: Output[] = [];
  for (const sweep of peers) {
    let room = remainingConcurrency(sweep);
    for (const trial of sweep.speculations) {
      if (trial.speculativeOffer === undefined) continue;
      if (room > 0 && keeps(core, sweep, trial, pools, candidatesOf(sweep))) room -= 1;
      else withdrawSpeculativeOffer(sweep, trial);
    }
  }
  // For one lease duration after an outage of the coordinator, nothing is offered, because agents may still report
  // attempts that ended during the outage.
  if (now - core.listeningSince < core.leaseMs) return outputs;
  for (const sweep of peers) {
    for (const trial of speculationCandidates(core, sweep)) {
      if (trial.speculativeOffer !== undefined) continue;
      if (remainingConcurrency(sweep) <= openSpeculativeOffers(sweep)) break;
      const agents = agentsForSpeculation(core, sweep, trial, candidatesOf(sweep));
      const pool = idlestPool([...pools.values()].filter((one) => isSuitable(core, sweep, one, agents)));
      if (pool === undefined) continue;
      trial.speculativeOffer = { pool: pool.id, offeredAt: now };
      sweep.speculations.add(trial);
      pool.offered += 1;
      outputs.push({ kind: 'offer', pool: pool.id, key: nextAttemptKey(sweep, trial) });
    }
  }
  return outputs;
}

function openSpeculativeOffers({ speculations }: Sweep): number {
  return [...speculations].filter(({ speculativeOffer }) => speculativeOffer !== undefined).length;
}

/** Whether a speculative offer can stay in its pool. If so, counts the offer as an open offer of the pool. */
function keeps(
  core: Core,
  sweep: Sweep,
  trial: Trial,
  pools: ReadonlyMap<string, Pool>,
  placement: PlacementCandidates,
): boolean {
  const pool = pools.get(trial.speculativeOffer?.pool ?? '');
  if (pool === undefined) return false;
  if (!isSuitable(core, sweep, pool, agentsForSpeculation(core, sweep, trial, placement))) return false;
  pool.offered += 1;
  return true;
}

/**
 * Whether the pool can run the sweep's trials, has more idle slots than open offers, and has a slot of an agent that
 * may run the attempt.
 */
function isSuitable(core: Core, sweep: Sweep, pool: Pool, agents: ReadonlySet<string>): boolean {
  if (pool.free <= pool.offered || !isEligible(sweep, pool)) return false;
  if (pool.owner !== undefined) return agents.has(pool.owner);
  return [...agents].some((id) => core.agents.get(id)?.pools.includes(pool.id));
}

function idlestPool(pools: readonly Pool[]): Pool | undefined {
  let best: Pool | undefined;
  for (const pool of pools) {
    if (best === undefined || pool.free - pool.offered > best.free - best.offered) best = pool;
  }
  return best;
}
