/** Moves through the dashboard: cursor, views, replicates, marks, sorting and filter. */
import { hasField } from '../../lib/filter/matches.ts';
import { ALL, type Filter, namesIn, parseFilter } from '../../lib/filter/parse.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { Pane } from '../source.ts';
import type { ActionContext, KeyResult } from './actions.ts';
import { AGENT_FIELDS } from './agent-rows.ts';
import { EVENT_FIELDS, kindFilter } from './event-rows.ts';
import { searchLog } from './log-text.ts';
import { followLog, START_LOG, scrollLog, scrollToStart, startSearch, stepMatch } from './log-view.ts';
import {
  type Cursor,
  cursorOf,
  LIST_VIEWS,
  type ListView,
  listViewOf,
  openPrompt,
  START_CURSOR,
  type Ui,
  type View,
  viewOf,
  windowOf,
  withCursor,
  withList,
  withStatus,
} from './ui.ts';

/** Moves the cursor by rows in a list, and scrolls by lines elsewhere. */
export function move(ui: Ui, context: ActionContext, by: number): Ui {
  const { kind } = viewOf(ui);
  if (kind === 'log') return { ...ui, log: scrollLog(ui.log, context.log, by) };
  const cursor = cursorOf(ui);
  if (!LIST_VIEWS.includes(kind)) {
    const offset = Math.min(Math.max(0, Math.min(cursor.offset, context.maxOffset) + by), context.maxOffset);
    return withCursor(ui, kind, { ...cursor, offset });
  }
  const found = cursor.id === undefined ? -1 : context.indexOf(cursor.id);
  const from = found >= 0 ? found : cursor.at;
  return moveTo(ui, context, Math.min(Math.max(0, from + by), Math.max(0, context.rowCount - 1)));
}

/** Moves to the first row or line. */
export function moveToTop(ui: Ui, { log }: ActionContext): Ui {
  const { kind } = viewOf(ui);
  return kind === 'log' ? { ...ui, log: scrollToStart(ui.log, log) } : withCursor(ui, kind, START_CURSOR);
}

/** Moves to the last row or line, and follows the log if the view is a log. */
export function moveToBottom(ui: Ui, context: ActionContext): Ui {
  if (viewOf(ui).kind === 'log') return { ...ui, log: followLog(ui.log) };
  return move(ui, context, Number.MAX_SAFE_INTEGER);
}

/** Searches the open log. */
export function searchFor(ui: Ui, text: string, { log }: ActionContext): Ui {
  const searched: Ui = { ...ui, log: startSearch(ui.log, log, text) };
  if (text === '' || searched.log.match !== undefined) return searched;
  return withStatus(searched, `no line contains ${JSON.stringify(text)}`, true);
}

/** Goes to the next or previous match of the search in the open log. */
export function moveToMatch(ui: Ui, { log }: ActionContext, by: 1 | -1): Ui {
  if (ui.log.search === '') return withStatus(ui, 'no active search; press / to search', true);
  if (searchLog(log.text, ui.log.search).length === 0) {
    return withStatus(ui, `no line contains ${JSON.stringify(ui.log.search)}`, true);
  }
  return { ...ui, log: stepMatch(ui.log, log, by) };
}

/** Moves the cursor of a list to a row. */
export function moveTo(ui: Ui, context: ActionContext, at: number): Ui {
  const { kind } = viewOf(ui);
  const moved: Cursor = { id: context.idAt(at), at, offset: cursorOf(ui).offset };
  const { offset } = windowOf(moved, context.rowCount, context.pageLines, () => at);
  return withCursor(ui, kind, { ...moved, offset });
}

/**
 * Opens the trial of the next or previous row instead of the open trial. If the open trial was opened from the
 * errors view, opens the next or previous trial of the same group of failures.
 */
export function openNeighbor(ui: Ui, context: ActionContext, by: 1 | -1): Ui {
  const trialId = context.neighbor(by);
  if (trialId === undefined) return withStatus(ui, `no ${by > 0 ? 'next' : 'previous'} trial`);
  const [base, ...rest] = ui.stack;
  const last: View = { kind: 'trial', trialId };
  return { ...withCursor(ui, 'trial', START_CURSOR), stack: [base, ...rest.slice(0, -1), last], epochsBack: 0 };
}

/** Opens a view on top of the current view. */
export function openView(ui: Ui, view: View): Ui {
  if (viewOf(ui).kind === view.kind) return ui;
  return {
    ...withCursor(ui, view.kind, START_CURSOR),
    log: view.kind === 'log' ? START_LOG : ui.log,
    stack: [...ui.stack, view],
    epochsBack: view.kind === 'help' ? ui.epochsBack : 0,
  };
}

export const openPane = (ui: Ui, pane: Pane): Ui => ({ ...ui, stack: [{ kind: pane }] });

/**
 * Clears the search of the open log or the filter of the open list. If there is neither, closes the current view. On
 * the leaderboard, closes the dashboard.
 */
export function back(ui: Ui): KeyResult {
  const [base, ...rest] = ui.stack;
  if (viewOf(ui).kind === 'log' && ui.log.search !== '') {
    return { ui: { ...ui, log: { ...ui.log, search: '', match: undefined } } };
  }
  if (rest.length > 0) return { ui: { ...ui, stack: [base, ...rest.slice(0, -1)] } };
  const list = listViewOf(ui);
  if (list !== undefined && ui.lists[list].filterText !== '') {
    return { ui: withList(ui, list, { filterText: '', filter: ALL }) };
  }
  if (base.kind === 'sweep' && ui.filterText !== '') return { ui: { ...ui, filterText: '', filter: ALL } };
  if (base.kind !== 'sweep') return { ui: openPane(ui, 'sweep') };
  return { ui, effect: { kind: 'leave' } };
}

/** Opens the row under the cursor. */
export function openRow(ui: Ui, context: ActionContext): KeyResult {
  const view = viewOf(ui);
  const id = idUnderCursor(ui, context);
  const { config, trialId } = context;
  switch (view.kind) {
    case 'sweep':
      if (config !== undefined && config.replicates > 1 && config.id === id) {
        return { ui: setFolded(ui, context, ui.unfolded.has(config.id)) };
      }
      return { ui: trialId === undefined ? ui : openView(ui, { kind: 'trial', trialId }) };
    case 'events':
    case 'errors':
      return { ui: trialId === undefined ? ui : openView(ui, { kind: 'trial', trialId }) };
    case 'agents':
      if (id === undefined) return { ui };
      return applyFilter(openPane(ui, 'sweep'), `agent=${JSON.stringify(id)}`, context);
    case 'sweeps':
      if (id === undefined) return { ui };
      return { ui: openPane(ui, 'sweep'), effect: { kind: 'watch', sweep: id } };
    default:
      return { ui };
  }
}

function idUnderCursor(ui: Ui, context: ActionContext): string | undefined {
  const cursor = cursorOf(ui);
  const found = cursor.id === undefined ? -1 : context.indexOf(cursor.id);
  return context.idAt(found >= 0 ? found : Math.min(cursor.at, context.rowCount - 1));
}

/** Folds or unfolds the replicates of the config under the cursor. */
export function setFolded(ui: Ui, { config }: ActionContext, folded: boolean): Ui {
  if (config === undefined || config.replicates < 2) return ui;
  const unfolded = new Set(ui.unfolded);
  if (!folded) return { ...ui, unfolded: unfolded.add(config.id) };
  unfolded.delete(config.id);
  return withCursor({ ...ui, unfolded }, 'sweep', { ...cursorOf(ui, 'sweep'), id: config.id });
}

/** Marks or unmarks the row under the cursor; on the leaderboard, moves to the next row. */
export function toggleMark(ui: Ui, context: ActionContext): Ui {
  const view = viewOf(ui);
  const id = view.kind === 'trial' ? view.trialId : idUnderCursor(ui, context);
  if (id === undefined) return ui;
  const marks = new Set(ui.marks);
  if (!marks.delete(id)) marks.add(id);
  const marked: Ui = { ...ui, marks };
  return view.kind === 'sweep' ? move(marked, context, 1) : marked;
}

/** In the view of the agents, sorts the agents. In every other view, sorts the leaderboard. */
export function sortBy(ui: Ui, column: string | undefined): Ui {
  if (listViewOf(ui) === 'agents') return withList(ui, 'agents', { sort: column, reversed: false });
  return { ...ui, sortColumn: column, reversed: false };
}

/** In the view of the agents, reverses the order of the agents. In every other view, reverses the leaderboard. */
export function reverse(ui: Ui): Ui {
  if (listViewOf(ui) === 'agents') return withList(ui, 'agents', { reversed: !ui.lists.agents.reversed });
  return { ...ui, reversed: !ui.reversed };
}

const LIST_FIELDS: Readonly<Record<ListView, readonly string[]>> = { agents: AGENT_FIELDS, events: EVENT_FIELDS };

/**
 * Filters the agents or the events if their view is open. In every other view, filters the leaderboard. A leading `!`
 * inverts the whole filter, and an empty string clears the filter.
 */
export function applyFilter(ui: Ui, text: string, context: ActionContext): KeyResult {
  const trimmed = text.trim();
  const list = listViewOf(ui);
  try {
    const inverted = /^!(?![=~(])/.test(trimmed);
    const parsed = parseFilter(inverted ? trimmed.slice(1) : trimmed);
    const filter: Filter = inverted ? { kind: 'not', of: parsed } : parsed;
    const chosen = { filterText: trimmed, filter };
    const filtered = list === undefined ? { ...ui, ...chosen } : withList(ui, list, chosen);
    const shown = withCursor(filtered, list ?? 'sweep', START_CURSOR);
    const problem = unknownField(filter, list, context);
    return { ui: problem === undefined ? shown : withStatus(shown, `filter: ${problem}`, true) };
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    return { ui: withStatus(openPrompt(ui, 'filter', text), error.message, true) };
  }
}

function unknownField(filter: Filter, list: ListView | undefined, context: ActionContext): string | undefined {
  const names = namesIn(filter);
  if (list !== undefined) {
    const unknown = names.find((name) => !LIST_FIELDS[list].includes(name));
    return unknown === undefined
      ? undefined
      : `no field ${JSON.stringify(unknown)}; fields: ${LIST_FIELDS[list].join(', ')}`;
  }
  const trials = [...context.trials()];
  const unknown = names.find((name) => !trials.some((trial) => hasField(trial, name)));
  if (unknown === undefined || trials.length === 0) return undefined;
  return `no trial has a field ${JSON.stringify(unknown)}`;
}

/** Shows only the events of the next kind. After the last kind, shows the events of all kinds. */
export function showNextKind(ui: Ui, context: ActionContext): KeyResult {
  const kinds = ['', ...context.eventKinds.map(kindFilter)];
  const next = kinds[(kinds.indexOf(ui.lists.events.filterText) + 1) % kinds.length] ?? '';
  return applyFilter(ui, next, context);
}
