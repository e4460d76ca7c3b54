/** Which trials are offered next. */
import type { Core, Sweep } from './model.ts';
import { Step } from './step.ts';
import { moveTrial } from './trials.ts';

/**
 * Offers that stand beyond the free slots, for each slot there is: enough that a slot which falls free finds one
 * waiting, few enough that a pause or a more urgent sweep is felt at once.
 */
export const OFFERS_AHEAD_PER_SLOT = 1;

/** How many more offers should stand. */
export function offersWanted(core: Core): number {
  let slots = 0;
  for (const agent of core.agents.values()) if (agent.state === 'connected') slots += agent.slots;
  let offered = 0;
  for (const sweep of core.sweeps.values()) offered += sweep.counts.offered;
  const free = Math.max(0, slots - core.leases.size);
  return Math.max(0, free + slots * OFFERS_AHEAD_PER_SLOT - offered);
}

/** Fills the window of offers: sweeps in order of submission, each one's trials by index. */
export function schedule(core: Core): Step {
  const step = new Step();
  let wanted = offersWanted(core);
  for (const sweep of core.sweeps.values()) {
    if (wanted <= 0) break;
    if (sweep.state !== 'running') continue;
    for (let room = roomFor(sweep); wanted > 0 && room > 0; ) {
      const trial = sweep.ready.pop();
      if (trial === undefined) break;
      if (trial.state !== 'pending') continue;
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

function roomFor(sweep: Sweep): number {
  if (sweep.policy.concurrency === undefined) return Number.POSITIVE_INFINITY;
  return sweep.policy.concurrency - sweep.counts.offered - sweep.counts.running;
}
