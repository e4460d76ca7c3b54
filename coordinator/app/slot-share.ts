/** Predicts the slots that a sweep gets from the scheduler while other sweeps have pending trials. */
import { max, sum } from 'd3-array';
import type { SlotShare } from '../../proto/gen/trawl/v1/types.ts';
import { trainsPacks } from '../../proto/trainers.ts';
import { takesWork } from '../core/drain.ts';
import type { Core, Sweep } from '../core/model.ts';
import { capabilityOf, isEligible } from '../core/pools.ts';

/**
 * Returns the number of slots that a sweep gets, and the time that the sweep waits for them. A slot that trains packs
 * of N trials counts as N slots. Sweeps with a higher priority come first, up to their concurrency. Sweeps of the same
 * priority share the remaining slots by weight. Slots that run the last trials of other sweeps also count, because
 * these slots will become free. Undefined if sweeps with a higher priority use all slots and it is unknown when any one
 * of them ends.
 * @param expectedMsOf returns the expected time until a sweep ends; undefined if it is unknown
 */
export function slotShareOf(
  core: Core,
  sweep: Sweep,
  expectedMsOf: (sweepId: string) => number | undefined,
): SlotShare | undefined {
  const { priority } = sweep;
  const { weight, concurrency } = sweep.policy;
  const capacity = capacityFor(core, sweep);
  const limit = (slots: number) => Math.min(slots, concurrency || Number.POSITIVE_INFINITY);
  const rivals = [...core.sweeps.values()].filter((other) => other !== sweep && other.share.hasDemand);
  const above = rivals.filter((other) => other.priority > priority);
  const taken = sum(above, (other) => other.policy.concurrency || Number.POSITIVE_INFINITY);
  const peers = rivals.filter((other) => other.priority === priority);
  const fair = weight / (weight + sum(peers, (peer) => peer.policy.weight));
  const shareOf = (slots: number) => (slots === 0 ? 0 : Math.max(1, Math.round(slots * fair)));
  if (capacity > taken || capacity === 0) return { slots: limit(shareOf(Math.max(0, capacity - taken))), waitMs: 0 };
  const waits = above.map(({ id }) => expectedMsOf(id));
  if (waits.includes(undefined)) return undefined;
  return { slots: limit(shareOf(capacity)), waitMs: max(waits, (wait) => wait ?? 0) ?? 0 };
}

/** Returns the number of trials that can run at the same time on the eligible slots of agents that take work. */
function capacityFor(core: Core, sweep: Sweep): number {
  const packs = trainsPacks(sweep.policy.trainer);
  let capacity = 0;
  for (const agent of core.agents.values()) {
    if (!takesWork(core, agent)) continue;
    for (const [slot, id] of agent.pools.entries()) {
      if (isEligible(sweep, { id, capability: capabilityOf(agent, slot) }))
        capacity += packs ? Math.max(1, agent.pack) : 1;
    }
  }
  return capacity;
}
