/** Which trials are offered next. */
import { freeSlots, takesWork } from './leases.ts';
import type { AttemptKey, Core, Sweep, Trial } from './model.ts';
import { Step } from './step.ts';
import { moveTrial } from './trials.ts';

/**
 * Offers that stand beyond the free slots, for each slot there is: enough that a slot which falls free finds one
 * waiting, few enough that a pause or a more urgent sweep is felt at once.
 */
export const OFFERS_AHEAD_PER_SLOT = 1;

/** An offer that stands so long while slots are free will not be taken any more. */
export const OFFER_PATIENCE_MS = 30_000;

/** How many more offers should stand. */
export function offersWanted(core: Core): number {
  let offered = 0;
  for (const sweep of core.sweeps.values()) offered += sweep.counts.offered;
  return Math.max(0, freeSlots(core) + workingSlots(core) * OFFERS_AHEAD_PER_SLOT - offered);
}

function workingSlots(core: Core): number {
  let slots = 0;
  for (const agent of core.agents.values()) if (takesWork(core, agent)) slots += agent.slots;
  return slots;
}

/** Fills the window of offers: sweeps in order of submission, each one's trials by index. */
export function schedule(core: Core, now: number): Step {
  const step = new Step();
  let wanted = offersWanted(core);
  for (const sweep of core.sweeps.values()) {
    if (wanted <= 0) break;
    if (sweep.state !== 'running') continue;
    for (let room = roomFor(sweep); wanted > 0 && room > 0; ) {
      const trial = sweep.ready.pop();
      if (trial === undefined) break;
      // Who was taken into a pack since, and waits for a retry now, comes back when it is due.
      if (trial.state !== 'pending' || trial.readyAt > now) continue;
      trial.offeredAt = now;
      moveTrial(sweep, trial, 'offered', step);
      step.outputs.push({
        kind: 'offer',
        key: { sweepId: sweep.id, trialId: trial.id, attempt: trial.attempts + 1 },
      });
      wanted -= 1;
      room -= 1;
    }
  }
  return step;
}

/**
 * Whether offers stand that nobody takes although slots are free: then the queue has lost them, whatever it says of
 * itself, and must be made anew. They count as made now.
 */
export function renewStuckOffers(core: Core, now: number): boolean {
  if (freeSlots(core) === 0) return false;
  const offered = offeredTrials(core);
  if (!offered.some(([, trial]) => now - trial.offeredAt > OFFER_PATIENCE_MS)) return false;
  for (const [, trial] of offered) trial.offeredAt = now;
  return true;
}

export function standingOffers(core: Core): AttemptKey[] {
  return offeredTrials(core).map(([sweep, trial]) => ({
    sweepId: sweep.id,
    trialId: trial.id,
    attempt: trial.attempts + 1,
  }));
}

function offeredTrials(core: Core): [Sweep, Trial][] {
  return [...core.sweeps.values()].flatMap((sweep) =>
    sweep.counts.offered === 0
      ? []
      : [...sweep.trials.values()]
          .filter((trial) => trial.state === 'offered')
          .map((trial): [Sweep, Trial] => [sweep, trial]),
  );
}

function roomFor(sweep: Sweep): number {
  if (sweep.policy.concurrency === undefined) return Number.POSITIVE_INFINITY;
  return sweep.policy.concurrency - sweep.counts.offered - sweep.counts.running;
}
