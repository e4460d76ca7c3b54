import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Event, Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { DashboardState, FirstReport } from './dashboard-state.ts';
import { extendVarying } from './parameters.ts';

/** Events remembered for the dashboard's list. */
export const EVENTS_KEPT = 50;

/**
 * The bookkeeping of dispatch, what the trials' own rows show, and a trial's change of state after the end of its
 * attempt has said the same: too much to read.
 */
const UNREMARKABLE = new Set([
  'offered',
  'withdrawn',
  'reported',
  'pending',
  'running',
  'succeeded',
  'stopped',
  'failed',
  'cancelled',
]);

function noteFirstReport(reports: Map<string, FirstReport>, trial: Trial): void {
  // A later epoch may be the first that is seen (after a reconnect): it is nobody's starting point.
  if (trial.epoch === 1) reports.set(trial.id, { attempt: trial.attempts, metrics: trial.metrics });
  else if (reports.get(trial.id)?.attempt !== trial.attempts) reports.delete(trial.id);
}

/**
 * The state after several updates in order. A snapshot replaces everything but the events and first reports already
 * seen; rows of a delta replace the rows of the same id. Several at once cost one copy of the maps, not one each.
 */
export function reduceAll(state: DashboardState, updates: readonly WatchResponse[]): DashboardState {
  if (updates.length === 0) return state;
  const next = {
    ...state,
    trials: new Map(state.trials),
    firstReports: new Map(state.firstReports),
    events: [...state.events],
  };
  for (const { update } of updates) {
    if (update === undefined) continue;
    let events: Event[] = [];
    if (update.$case === 'snapshot') {
      next.sweep = update.snapshot.sweep;
      next.agents = update.snapshot.agents;
      next.trials.clear();
    } else {
      next.sweep = update.delta.sweep ?? next.sweep;
      if (update.delta.agents.length > 0) next.agents = update.delta.agents;
      events = update.delta.events;
    }
    const rows = update.$case === 'snapshot' ? update.snapshot.trials : update.delta.trials;
    // A large snapshot's trials come in parts, the later ones as deltas.
    const [reference] = next.trials.values();
    const unseen = rows.filter((trial) => !next.trials.has(trial.id));
    if (reference === undefined) next.varying = [];
    if (unseen.length > 0) next.varying = extendVarying(next.varying, reference, unseen);
    for (const trial of rows) {
      next.trials.set(trial.id, trial);
      noteFirstReport(next.firstReports, trial);
    }
    next.events.push(...events.filter((event) => !UNREMARKABLE.has(event.kind)));
  }
  next.events = next.events.slice(-EVENTS_KEPT);
  return next;
}

/** The state after one update. */
export function reduce(state: DashboardState, update: WatchResponse): DashboardState {
  return reduceAll(state, [update]);
}
