/** Chooses the trials that are leased to a slot together with the trial that the slot claims. */
import type { Core, Sweep } from './model.ts';
import { agentsFor, placementCandidates } from './placement.ts';
import { freeSlotsFor } from './pools.ts';
import type { Trial } from './trial-model.ts';
import { remainingConcurrency } from './trials.ts';

/**
 * Takes the trials that are granted together with a trial whose lease has just started. The other trials of the pack
 * belong to the same sweep, have the same `packKey`, and are taken in order of index. Their number is limited by the
 * slot's capacity and by the slot's share of the waiting trials. The share keeps a slot from filling its pack while
 * other slots are idle.
 * @param capacity the number of trials that the slot can train together, including the claimed trial
 */
export function takePackMates(
  core: Core,
  sweep: Sweep,
  { packKey, lease }: Trial,
  capacity: number,
  now: number,
): Trial[] {
  if (capacity <= 1 || packKey === undefined || sweep.state !== 'running') return [];
  const waiting = sweep.counts.pending + sweep.counts.offered;
  // 1 is added to both numbers, because the claimed trial no longer counts as pending, and the claiming slot no longer
  // counts as free.
  const share = Math.ceil((waiting + 1) / (freeSlotsFor(core, sweep) + 1));
  let room = Math.min(capacity, share) - 1;
  let startable = remainingConcurrency(sweep);
  const queue = sweep.packable.get(packKey);
  const mates: Trial[] = [];
  const placement = placementCandidates(core, sweep, now);
  const left: Trial[] = [];
  while (room > 0) {
    const trial = queue?.pop();
    if (trial === undefined) break;
    if ((trial.state !== 'pending' && trial.state !== 'offered') || trial.readyAt > now) continue;
    if (mates.includes(trial)) continue;
    if (trial.state === 'pending' && startable <= 0) {
      left.push(trial);
      continue;
    }
    if (!agentsFor(core, sweep, trial, placement, now).has(lease?.agentId ?? '')) {
      left.push(trial);
      continue;
    }
    if (trial.state === 'pending') startable -= 1;
    mates.push(trial);
    room -= 1;
  }
  for (const trial of left) queue?.push(trial);
  return mates;
}

/** Returns the number of trials that fit a slot: at most `pack`, and at most as many as the slot's memory allows. */
export function packCapacity(pack: number, vramBytes: number, demandedBytes: number | undefined): number {
  return demandedBytes === undefined ? pack : Math.min(pack, Math.floor(vramBytes / demandedBytes));
}
