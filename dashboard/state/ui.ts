import { ALL, type Filter } from '../../lib/filter/parse.ts';
import type { FailureClassName } from '../../proto/names.ts';

/** The places that the dashboard can show. */

export const PANES = ['sweep', 'parameters', 'agents', 'events', 'sweeps'] as const;
export type Pane = (typeof PANES)[number];

export type View =
  | { readonly kind: Pane }
  | { readonly kind: 'trial' | 'log' | 'explain'; readonly trialId: string }
  | { readonly kind: 'compare' | 'help' };
export type ViewKind = View['kind'];

/** Whose lines a cursor goes along; the others are scrolled. */
export const LIST_VIEWS: readonly ViewKind[] = ['sweep', 'agents', 'events', 'sweeps'];

/** Where the user is, and what they asked for: everything that keys change and the Watch stream does not. */

export interface Cursor {
  /** The row it is on; undefined: whichever is at `at`. */
  readonly id: string | undefined;
  readonly at: number;
  /** The first row, or line, on the screen. */
  readonly offset: number;
}

export type SweepActionName = 'pause' | 'resume' | 'stop' | 'kill';

/** Trials by their ids; or whichever failed so (`all`: in whatever way), and whichever were cancelled. */
export type RetrySelection =
  | { readonly trials: readonly string[] }
  | { readonly failures: 'all' | readonly FailureClassName[]; readonly cancelled: boolean };

/** What can be done to a sweep, its trials, or an agent. */
export type Action =
  | { readonly what: SweepActionName; readonly sweepId: string }
  | { readonly what: 'priority'; readonly sweepId: string; readonly priority: number }
  | { readonly what: 'retry'; readonly sweepId: string; readonly which: RetrySelection }
  | { readonly what: 'drain' | 'undrain'; readonly agentId: string };

export type Prompt =
  | { readonly kind: 'filter' | 'command'; readonly text: string }
  | { readonly kind: 'confirm'; readonly question: string; readonly act: Action };

export interface StatusMessage {
  readonly text: string;
  readonly failed: boolean;
}

export interface Ui {
  /** The last is shown; q goes back to the one before. */
  readonly stack: readonly [View, ...View[]];
  readonly cursors: Partial<Record<ViewKind, Cursor>>;
  /** Undefined: by the sweep's own metric. */
  readonly sortColumn: string | undefined;
  readonly reversed: boolean;
  readonly filterText: string;
  readonly filter: Filter;
  /** Ids of configs, and of trials among unfolded replicates, in the order of marking. */
  readonly marks: ReadonlySet<string>;
  /** Ids of configs whose replicates are shown. */
  readonly unfolded: ReadonlySet<string>;
  /** Columns of the leaderboard that are scrolled past. */
  readonly columnOffset: number;
  readonly prompt: Prompt | undefined;
  readonly status: StatusMessage | undefined;
  /** Undefined: the sweep's own. */
  readonly metric: string | undefined;
  /** The heat map's parameters; undefined: the two that matter most. */
  readonly pair: readonly [string, string] | undefined;
  /** Epochs of reconstructions back from the newest. */
  readonly epochsBack: number;
  readonly frozen: boolean;
}

export const START_CURSOR: Cursor = { id: undefined, at: 0, offset: 0 };

export function initialUi(view: View): Ui {
  return {
    stack: [view],
    cursors: {},
    sortColumn: undefined,
    reversed: false,
    filterText: '',
    filter: ALL,
    marks: new Set(),
    unfolded: new Set(),
    columnOffset: 0,
    prompt: undefined,
    status: undefined,
    metric: undefined,
    pair: undefined,
    epochsBack: 0,
    frozen: false,
  };
}

export const viewOf = ({ stack }: Ui): View => stack.at(-1) ?? stack[0];

export const cursorOf = (ui: Ui, view: ViewKind = viewOf(ui).kind): Cursor => ui.cursors[view] ?? START_CURSOR;

export const withCursor = (ui: Ui, view: ViewKind, cursor: Cursor): Ui => ({
  ...ui,
  cursors: { ...ui.cursors, [view]: cursor },
});

export const withStatus = (ui: Ui, text: string, failed = false): Ui => ({ ...ui, status: { text, failed } });

export interface Window {
  /** The row that the cursor is on; -1 where there is none. */
  readonly at: number;
  /** The first row on the screen. */
  readonly offset: number;
}

/**
 * Where a list of rows is on the screen: the cursor stays on its row wherever that goes, and the window moves no further
 * than it must to keep it in sight.
 * @param indexOf where the cursor's row is now; -1: gone
 */
export function windowOf(cursor: Cursor, length: number, lines: number, indexOf: (id: string) => number): Window {
  if (length === 0) return { at: -1, offset: 0 };
  const found = cursor.id === undefined ? -1 : indexOf(cursor.id);
  const at = found >= 0 ? found : Math.min(Math.max(0, cursor.at), length - 1);
  const room = Math.max(1, lines);
  const furthest = Math.max(0, length - room);
  let offset = Math.min(Math.max(0, cursor.offset), furthest);
  if (at < offset) offset = at;
  else if (at >= offset + room) offset = at - room + 1;
  return { at, offset };
}
