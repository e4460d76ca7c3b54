/**
 * Creates the trials of a sweep while the sweep runs. Only a bounded number of trials is created before slots become
 * free, so that memory does not depend on the size of the grid.
 */
import type { Core, Sweep } from './model.ts';
import { presentPools } from './pools.ts';
import { compareMembers } from './population.ts';
import { stopHeldTrials } from './promotions.ts';
import type { Change } from './step.ts';
import { newTrial } from './trial-model.ts';
import { addTrial, closeIfDone } from './trials.ts';

/**
 * The number of trials per slot that are created in advance: one that the slot can start, and one that can be offered
 * next.
 */
const STARTS_AND_OFFERS_PER_SLOT = 2;

/** The maximum number of points that one pass takes from the source of a sweep, so that the pass stays short. */
export const MAX_POINTS_PER_PASS = 5_000;

/**
 * Creates trials for all running sweeps, compares the members of populations, and ends sweeps that have no trials left.
 */
export function createTrials(core: Core, now: number): Change[] {
  const compared = [...core.sweeps.values()].flatMap((sweep) => compareMembers(sweep, now));
  const sweeps = [...core.sweeps.values()].filter(({ state, search }) => state === 'running' && search !== undefined);
  if (sweeps.length === 0) return compared;
  const slots = [...presentPools(core).values()].reduce((sum, pool) => sum + pool.slots, 0);
  const packs = [...core.agents.values()].reduce((sum, agent) => sum + agent.slots * agent.pack, 0);
  const created = sweeps.flatMap((sweep) => [
    ...fillWindow(sweep, windowOf(core, sweep, slots, packs)),
    ...stopHeldTrials(sweep, now),
    ...closeIfDone(sweep),
  ]);
  return [...compared, ...created];
}

/** Returns the size of the sweep's window: how many created trials may be pending or offered. */
function windowOf({ creationWindow }: Core, { search, policy }: Sweep, slots: number, packs: number): number {
  if (search?.source.usesResults === true) {
    return Math.min(slots, policy.concurrency ?? slots) * STARTS_AND_OFFERS_PER_SLOT;
  }
  // The window has room for one more trial than the slots can take. The extra trial shows the scheduler that the sweep
  // still has demand.
  const forSlots = slots * STARTS_AND_OFFERS_PER_SLOT + 1;
  return Math.max(creationWindow.trials, forSlots, packs * creationWindow.packsPerSlot);
}

/**
 * Creates trials until the window is full, the source has no further trial for now, or the pass reaches its maximum
 * length.
 */
function fillWindow(sweep: Sweep, window: number): Change[] {
  const changes: Change[] = [];
  let dropped = false;
  for (let points = 0; points < MAX_POINTS_PER_PASS && sweep.search !== undefined; points++) {
    if (sweep.counts.pending + sweep.counts.offered >= window) break;
    const { source, state } = sweep.search;
    const step = source.next(state, (id) => sweep.trials.has(id));
    if (step.kind === 'wait') break;
    if (step.kind === 'done') {
      sweep.search = undefined;
      sweep.planned = state.created;
      changes.push({ kind: 'searched', sweepId: sweep.id, state, done: true });
      return changes;
    }
    sweep.search.state = step.state;
    dropped = step.kind === 'dropped';
    const { suggestion } = step;
    if (suggestion !== undefined) changes.push({ kind: 'suggested', sweepId: sweep.id, suggestion });
    if (step.kind === 'dropped') continue;
    addTrial(sweep, newTrial(sweep.policy, step.trial));
    changes.push({ kind: 'created', sweepId: sweep.id, trial: step.trial, state: step.state });
  }
  // The change for a created trial also stores the state of the source. The last points created no trial, so the state
  // is stored here. Otherwise, a restart would repeat these points.
  if (dropped && sweep.search !== undefined) {
    changes.push({ kind: 'searched', sweepId: sweep.id, state: sweep.search.state, done: false });
  }
  return changes;
}
