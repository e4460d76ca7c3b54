import type { Agent, Event, Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { TrialTable } from './trial-table.ts';

/** The first epoch's metrics of an attempt: what the last ones are compared with. */
export interface FirstReport {
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
