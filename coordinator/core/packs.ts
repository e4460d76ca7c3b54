/** Which trials are leased to a slot together with the one that it claims. */
import type { Core, Lease, Sweep, Trial } from './model.ts';
import { freeSlotsFor } from './pools.ts';

/**
 * Takes the trials that go with one that has just been leased: of its sweep and its packKey, in order, as many as the
 * slot holds, but no more than its share, so that no slot stays idle beside a full pack.
 * @param holds trials that the slot trains together at most, the first among them
 */
export function takeMates(core: Core, sweep: Sweep, { packKey }: Trial, holds: number, now: number): Trial[] {
  if (holds <= 1 || packKey === undefined || sweep.state !== 'running') return [];
  const waiting = sweep.counts.pending + sweep.counts.offered;
  // The slot that claims is in use by now.
  const share = Math.ceil((waiting + 1) / (freeSlotsFor(core, sweep) + 1));
  let room = Math.min(holds, share) - 1;
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

/** How many trials of a sweep a slot holds: as many as it measured, and as there is memory for what each asks for. */
export function packThatFits(pack: number, vramBytes: number, askedBytes: number | undefined): number {
  return askedBytes === undefined ? pack : Math.min(pack, Math.floor(vramBytes / askedBytes));
}

/** The leases that were granted together with this one. */
export function matesOf(core: Core, lease: Lease): Lease[] {
  return [...core.leases.values()].filter((other) => other !== lease && other.pack === lease.pack);
}
