import { extendVarying } from '../../lib/domain/parameters.ts';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent, Event, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { TrialMap } from './trial-map.ts';

/** The state of one sweep, computed only from its Watch stream. */
export interface DashboardState {
  /** The sweep. Undefined until the first snapshot arrives. */
  readonly sweep: Sweep | undefined;
  readonly trials: TrialMap;
  readonly agents: readonly Agent[];
  /** Notable events since the first snapshot, oldest first; at most MAX_EVENTS. */
  readonly events: readonly Event[];
  /**
   * The sequence number of the first snapshot. Events up to this number are not in the stream, and must be requested
   * separately. Zero until the snapshot arrives.
   */
  readonly firstSeq: number;
  /**
   * Sorted names of the parameters with different values in different trials. Includes `seed`, as the last name, if the
   * trials have different seeds.
   */
  readonly varying: readonly string[];
}

export const EMPTY_STATE: DashboardState = {
  sweep: undefined,
  trials: new TrialMap(),
  agents: [],
  events: [],
  firstSeq: 0,
  varying: [],
};

export const MAX_EVENTS = 500;

/**
 * The kinds of events that the events view does not list: details of scheduling, changes that are visible in the rows
 * of trials, and events that repeat the end of an attempt.
 */
const UNLISTED_EVENTS = new Set([
  'offered',
  'withdrawn',
  'reported',
  'pending',
  'running',
  'held',
  'succeeded',
  'stopped',
  'failed',
  'cancelled',
]);

/** Whether the events view lists an event. */
export const isNotable = ({ kind }: Event): boolean => !UNLISTED_EVENTS.has(kind);

/** The state after updates. */
interface Reduced {
  readonly state: DashboardState;
  /** The rows of new and changed trials, in order. Undefined if a snapshot replaced all trials. */
  readonly changed: readonly Trial[] | undefined;
}

/**
 * Applies updates in order. A snapshot replaces everything except the known events; a row of a delta replaces the row
 * with the same id.
 */
export function reduceAll(state: DashboardState, updates: readonly WatchResponse[]): Reduced {
  if (updates.length === 0) return { state, changed: [] };
  let { sweep, trials, agents, varying, firstSeq } = state;
  let isReplaced = false;
  // The trials of a large snapshot arrive in parts: a snapshot with the first trials, and then deltas with the others.
  let rows: Trial[] = [];
  const events: Event[] = [];
  for (const { update } of updates) {
    if (update === undefined) continue;
    if (update.$case === 'snapshot') {
      sweep = update.snapshot.sweep;
      agents = update.snapshot.agents;
      firstSeq ||= update.snapshot.eventSeq;
      trials = new TrialMap();
      varying = [];
      rows = [];
      isReplaced = true;
    } else {
      sweep = update.delta.sweep ?? sweep;
      if (update.delta.agents.length > 0) agents = update.delta.agents;
      events.push(...update.delta.events.filter(isNotable));
    }
    const received = update.$case === 'snapshot' ? update.snapshot.trials : update.delta.trials;
    for (const trial of received) rows.push(trial);
  }
  const kept = events.length === 0 ? state.events : [...state.events, ...events].slice(-MAX_EVENTS);
  const [reference] = trials.values();
  const unseen = rows.filter((trial) => !trials.has(trial.id));
  if (unseen.length > 0) varying = extendVarying(varying, reference, unseen);
  trials = trials.with(rows);
  return {
    state: { sweep, trials, agents, varying, events: kept, firstSeq },
    changed: isReplaced ? undefined : rows,
  };
}

export function reduce(state: DashboardState, update: WatchResponse): DashboardState {
  return reduceAll(state, [update]).state;
}
