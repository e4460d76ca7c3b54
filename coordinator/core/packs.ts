/** Which trials are leased to a slot together with the one that it claims. */
import { freeSlots } from './leases.ts';
import type { Agent, Core, Lease, Sweep, Trial } from './model.ts';

/**
 * Takes the trials that go with one that has just been leased: of its sweep and its packKey, in order, as many as the
 * slot holds, but no more than its share, so that no slot stays idle beside a full pack.
 */
export function takeMates(core: Core, sweep: Sweep, { packKey }: Trial, agent: Agent, now: number): Trial[] {
  if (agent.pack <= 1 || packKey === undefined || sweep.state !== 'running') return [];
  const waiting = sweep.counts.pending + sweep.counts.offered;
  // The slot that claims is in use by now.
  const share = Math.ceil((waiting + 1) / (freeSlots(core) + 1));
  let room = Math.min(agent.pack, share) - 1;
  let mayBegin = (sweep.policy.concurrency ?? Number.POSITIVE_INFINITY) - sweep.counts.offered - sweep.counts.running;
  const queue = sweep.packable.get(packKey);
  const mates: Trial[] = [];
  const overBudget: Trial[] = [];
  while (room > 0) {
    const trial = queue?.pop();
    if (trial === undefined) break;
    // What waits for its retry comes back to the queue when it is due.
    if ((trial.state !== 'pending' && trial.state !== 'offered') || trial.readyAt > now) continue;
    if (mates.includes(trial)) continue;
    // An offered trial has its place in the sweep's concurrency already.
    if (trial.state === 'pending' && mayBegin <= 0) {
      overBudget.push(trial);
      continue;
    }
    if (trial.state === 'pending') mayBegin -= 1;
    mates.push(trial);
    room -= 1;
  }
  for (const trial of overBudget) queue?.push(trial);
  return mates;
}

/** The leases that were granted together with this one. */
export function matesOf(core: Core, lease: Lease): Lease[] {
  return [...core.leases.values()].filter((other) => other !== lease && other.pack === lease.pack);
}
