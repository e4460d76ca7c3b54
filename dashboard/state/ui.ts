/** The part of the dashboard's state that keys change: view, cursor, sorting, filter and marks. */
import { ALL, type Filter } from '../../lib/filter/parse.ts';
import type { Pane, RetrySelection, SweepActionName } from '../source.ts';
import { type LogUi, START_LOG } from './log-view.ts';

export type View =
  | { readonly kind: Pane }
  | { readonly kind: 'trial' | 'log' | 'explain'; readonly trialId: string }
  | { readonly kind: 'compare' | 'help' };
export type ViewKind = View['kind'];

/** Views with a cursor. Views without a cursor scroll by line. */
export const LIST_VIEWS: readonly ViewKind[] = ['sweep', 'agents', 'events', 'sweeps', 'errors'];

export interface Cursor {
  /** The id of the row under the cursor. Undefined means the row at index `at`. */
  readonly id: string | undefined;
  readonly at: number;
  /** The index of the first visible row; in a view that scrolls by line, of the first visible line. */
  readonly offset: number;
}

/** A change to a sweep, its trials or an agent. */
export type Action =
  | { readonly name: SweepActionName; readonly sweepId: string }
  | { readonly name: 'priority'; readonly sweepId: string; readonly priority: number }
  | { readonly name: 'retry'; readonly sweepId: string; readonly selection: RetrySelection }
  | { readonly name: 'kill trials'; readonly sweepId: string; readonly trialIds: readonly string[] }
  | { readonly name: 'drain' | 'undrain'; readonly agentId: string };

interface TextPrompt {
  readonly kind: 'filter' | 'command' | 'search';
  readonly text: string;
  /** The position of the cursor, in characters. */
  readonly at: number;
  /** The index of the history entry that is shown; -1 if no entry is shown. */
  readonly entry: number;
}

/** Opens a prompt with the cursor at the end of its text. */
export const openPrompt = (ui: Ui, kind: TextPrompt['kind'], text: string): Ui => ({
  ...ui,
  prompt: { kind, text, at: [...text].length, entry: -1 },
});

export type Prompt = TextPrompt | { readonly kind: 'confirm'; readonly question: string; readonly action: Action };

interface StatusMessage {
  readonly text: string;
  readonly failed: boolean;
}

/** The lists that can be filtered, in addition to the leaderboard. Agents can also be sorted. */
export type ListView = 'agents' | 'events';

/** The filter and the order of a list. */
export interface ListChoice {
  readonly filterText: string;
  readonly filter: Filter;
  /** The column by which the list is sorted. Undefined means the order in which the coordinator lists the rows. */
  readonly sort: string | undefined;
  readonly reversed: boolean;
}

const WHOLE_LIST: ListChoice = { filterText: '', filter: ALL, sort: undefined, reversed: false };

export interface Ui {
  /** The open views. The dashboard shows the last view. The key q returns to the previous view. */
  readonly stack: readonly [View, ...View[]];
  readonly cursors: Partial<Record<ViewKind, Cursor>>;
  /** The column by which the leaderboard is sorted. Undefined means the first metric of the leaderboard. */
  readonly sortColumn: string | undefined;
  readonly reversed: boolean;
  readonly filterText: string;
  readonly filter: Filter;
  readonly lists: Readonly<Record<ListView, ListChoice>>;
  /** The ids of the marked configs and trials, in the order of marking. */
  readonly marks: ReadonlySet<string>;
  /** Ids of the configs whose replicates are shown. */
  readonly unfolded: ReadonlySet<string>;
  /** The number of leaderboard columns that are scrolled out of view on the left. */
  readonly columnOffset: number;
  readonly prompt: Prompt | undefined;
  /** The entered filters, commands and searches, newest first. */
  readonly history: Readonly<Record<TextPrompt['kind'], readonly string[]>>;
  readonly status: StatusMessage | undefined;
  /** The position and the search of the log view. */
  readonly log: LogUi;
  /** The metric that the charts show. Undefined means the first metric of the leaderboard. */
  readonly metric: string | undefined;
  /** The parameters of the heat map. Undefined means the two most important parameters. */
  readonly pair: readonly [string, string] | undefined;
  /** How far the shown epoch is before the newest epoch, counted in epochs with reconstructions. */
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
    lists: { agents: WHOLE_LIST, events: WHOLE_LIST },
    marks: new Set(),
    unfolded: new Set(),
    columnOffset: 0,
    prompt: undefined,
    history: { filter: [], command: [], search: [] },
    status: undefined,
    log: START_LOG,
    metric: undefined,
    pair: undefined,
    epochsBack: 0,
    frozen: false,
  };
}

/** Returns the open view if the view is a list that has its own filter. */
export function listViewOf(ui: Ui): ListView | undefined {
  const { kind } = viewOf(ui);
  return kind === 'agents' || kind === 'events' ? kind : undefined;
}

/** Returns the filter of the open view as text; empty if there is none. */
export function filterTextOf(ui: Ui): string {
  const list = listViewOf(ui);
  return list === undefined ? ui.filterText : ui.lists[list].filterText;
}

export const withList = (ui: Ui, list: ListView, change: Partial<ListChoice>): Ui => ({
  ...ui,
  lists: { ...ui.lists, [list]: { ...ui.lists[list], ...change } },
});

export const viewOf = ({ stack }: Ui): View => stack.at(-1) ?? stack[0];

export const cursorOf = (ui: Ui, view: ViewKind = viewOf(ui).kind): Cursor => ui.cursors[view] ?? START_CURSOR;

export const withCursor = (ui: Ui, view: ViewKind, cursor: Cursor): Ui => ({
  ...ui,
  cursors: { ...ui.cursors, [view]: cursor },
});

export const withStatus = (ui: Ui, text: string, failed = false): Ui => ({ ...ui, status: { text, failed } });

export interface Window {
  /** The index of the row under the cursor; -1 when the list is empty. */
  readonly at: number;
  /** The first visible row. */
  readonly offset: number;
}

/**
 * Returns the visible part of a list. The cursor follows its row, and the window scrolls only as far as needed to show
 * the row.
 * @param indexOf the current index of a row; -1 when the row is gone
 */
export function windowOf(cursor: Cursor, length: number, lines: number, indexOf: (id: string) => number): Window {
  if (length === 0) return { at: -1, offset: 0 };
  const found = cursor.id === undefined ? -1 : indexOf(cursor.id);
  const at = found >= 0 ? found : Math.min(Math.max(0, cursor.at), length - 1);
  const room = Math.max(1, lines);
  const maxOffset = Math.max(0, length - room);
  let offset = Math.min(Math.max(0, cursor.offset), maxOffset);
  if (at < offset) offset = at;
  else if (at >= offset + room) offset = at - room + 1;
  return { at, offset };
}
