import { extendVarying } from '../../lib/domain/parameters.ts';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent, Event, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { TrialTable } from './trial-table.ts';

/** The first epoch's metrics of an attempt: what the last ones are compared with. */
interface FirstReport {
  readonly attempt: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** What is known of one sweep, from its Watch stream alone. */
export interface DashboardState {
  /** Undefined until the first snapshot has come. */
  readonly sweep: Sweep | undefined;
  readonly trials: TrialTable;
  readonly agents: readonly Agent[];
  /** The newest last; at most EVENTS_KEPT of those worth showing, since the dashboard looks. */
  readonly events: readonly Event[];
  /** The event that the first snapshot was taken after: earlier ones have to be asked for. 0: not known yet. */
  readonly firstSeq: number;
  /** By trial; only where the first epoch was seen. */
  readonly firstReports: ReadonlyMap<string, FirstReport>;
  /** Parameters whose values differ between trials, in order of name; `seed` when there are replicates. */
  readonly varying: readonly string[];
}

export const EMPTY_STATE: DashboardState = {
  sweep: undefined,
  trials: new TrialTable(),
  agents: [],
  events: [],
  firstSeq: 0,
  firstReports: new Map(),
  varying: [],
};

/** Events remembered for the dashboard's list. */
export const EVENTS_KEPT = 500;

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

/** Whether an event is worth a line. */
export const isNotable = ({ kind }: Event): boolean => !UNREMARKABLE.has(kind);

/** A later epoch may be the first that is seen (after a reconnect): it is nobody's starting point. */
function withFirstReports(
  known: ReadonlyMap<string, FirstReport>,
  rows: readonly Trial[],
): ReadonlyMap<string, FirstReport> {
  let next: Map<string, FirstReport> | undefined;
  for (const { id, epoch, attempts, metrics } of rows) {
    const first = (next ?? known).get(id);
    const stale = first !== undefined && first.attempt !== attempts;
    if (epoch !== 1 && !stale) continue;
    // Most reports are no first ones, and leave the map as it is.
    next ??= new Map(known);
    if (epoch === 1) next.set(id, { attempt: attempts, metrics });
    else next.delete(id);
  }
  return next ?? known;
}

/**
 * The state after several updates in order. A snapshot replaces everything but the events and first reports already
 * seen; rows of a delta replace the rows of the same id.
 */
export function reduceAll(state: DashboardState, updates: readonly WatchResponse[]): DashboardState {
  if (updates.length === 0) return state;
  let { sweep, trials, agents, varying, firstSeq } = state;
  // A large snapshot's trials come in parts, the later ones as deltas.
  let rows: Trial[] = [];
  const reports: Trial[] = [];
  const events: Event[] = [];
  for (const { update } of updates) {
    if (update === undefined) continue;
    if (update.$case === 'snapshot') {
      sweep = update.snapshot.sweep;
      agents = update.snapshot.agents;
      firstSeq ||= update.snapshot.eventSeq;
      trials = new TrialTable();
      varying = [];
      rows = [];
    } else {
      sweep = update.delta.sweep ?? sweep;
      if (update.delta.agents.length > 0) agents = update.delta.agents;
      events.push(...update.delta.events.filter(isNotable));
    }
    for (const trial of update.$case === 'snapshot' ? update.snapshot.trials : update.delta.trials) {
      rows.push(trial);
      reports.push(trial);
    }
  }
  const [reference] = trials.values();
  const unseen = rows.filter((trial) => !trials.has(trial.id));
  if (unseen.length > 0) varying = extendVarying(varying, reference, unseen);
  trials = trials.with(rows);
  const told = events.length === 0 ? state.events : [...state.events, ...events].slice(-EVENTS_KEPT);
  const firstReports = withFirstReports(state.firstReports, reports);
  return { sweep, trials, agents, firstReports, varying, events: told, firstSeq };
}

/** The state after one update. */
export function reduce(state: DashboardState, update: WatchResponse): DashboardState {
  return reduceAll(state, [update]);
}

/** The trials that the updates brought, by id; undefined where a snapshot among them replaced them all. */
export function changedTrials(updates: readonly WatchResponse[]): ReadonlySet<string> | undefined {
  const changed = new Set<string>();
  for (const { update } of updates) {
    if (update?.$case === 'snapshot') return undefined;
    for (const { id } of update?.delta.trials ?? []) changed.add(id);
  }
  return changed;
}
