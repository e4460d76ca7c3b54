/** What a key makes of where the user is. Pure: what has to be done beyond that is named, and done elsewhere. */

import { hasField } from '../../lib/filter/matches.ts';
import { ALL, type Filter, namesIn, parseFilter } from '../../lib/filter/parse.ts';
import { BadInputError } from '../../proto/errors.ts';
import { bindingOf, type Command } from '../keys.ts';
import {
  type ActionContext,
  confirmControl,
  controlSweep,
  type KeyResult,
  prioritize,
  retryByState,
  retrySelected,
  sendAction,
  toggleDrain,
} from './actions.ts';
import {
  type Cursor,
  cursorOf,
  LIST_VIEWS,
  PANES,
  type Pane,
  START_CURSOR,
  type Ui,
  type View,
  viewOf,
  windowOf,
  withCursor,
  withStatus,
} from './ui.ts';

/** @param key as `keyNames` names it */
export function handleKey(ui: Ui, key: string, around: ActionContext): KeyResult {
  if (key === 'ctrl-c') return { ui, effect: { kind: 'interrupt' } };
  if (ui.prompt !== undefined) return answer(ui, ui.prompt, key, around);
  const clear: Ui = { ...ui, status: undefined };
  const binding = bindingOf(key, viewOf(ui).kind, around.readonly);
  return binding === undefined ? { ui: clear } : run(clear, binding.command, around);
}

function run(ui: Ui, command: Command, around: ActionContext): KeyResult {
  const view = viewOf(ui);
  switch (command) {
    case 'up':
      return { ui: move(ui, around, -1) };
    case 'down':
      return { ui: move(ui, around, 1) };
    case 'pageUp':
      return { ui: move(ui, around, -Math.max(1, around.page - 1)) };
    case 'pageDown':
      return { ui: move(ui, around, Math.max(1, around.page - 1)) };
    case 'top':
      return { ui: withCursor(ui, view.kind, START_CURSOR) };
    case 'bottom':
      return { ui: move(ui, around, Number.MAX_SAFE_INTEGER) };
    case 'enter':
      return enter(ui, around);
    case 'back':
      return back(ui);
    case 'help':
      return { ui: push(ui, { kind: 'help' }) };
    case 'filter':
      return { ui: { ...ui, prompt: { kind: 'filter', text: ui.filterText } } };
    case 'command':
      return { ui: { ...ui, prompt: { kind: 'command', text: '' } } };
    case 'sort':
      return { ui: sortBy(ui, nextOf(around.sortColumns, around.sortedBy, 1)) };
    case 'sortBack':
      return { ui: sortBy(ui, nextOf(around.sortColumns, around.sortedBy, -1)) };
    case 'reverse':
      return { ui: { ...ui, reversed: !ui.reversed } };
    case 'columnsRight':
      return { ui: { ...ui, columnOffset: Math.min(ui.columnOffset + 1, Math.max(0, around.sortColumns.length - 4)) } };
    case 'columnsLeft':
      return { ui: { ...ui, columnOffset: Math.max(0, ui.columnOffset - 1) } };
    case 'unfold':
      return { ui: fold(ui, around, true) };
    case 'fold':
      return { ui: fold(ui, around, false) };
    case 'mark':
      return { ui: mark(ui, around) };
    case 'unmark':
      return { ui: { ...ui, marks: new Set() } };
    case 'compare':
      return ui.marks.size === 0
        ? { ui: withStatus(ui, 'nothing is marked: Space marks what the cursor is on', true) }
        : { ui: push(ui, { kind: 'compare' }) };
    case 'log':
    case 'describe':
    case 'explain': {
      const kind = command === 'describe' ? 'trial' : command;
      if (around.trialId === undefined) return { ui };
      return { ui: push(ui, { kind, trialId: around.trialId }) };
    }
    case 'earlier':
      return { ui: { ...ui, epochsBack: Math.min(ui.epochsBack + 1, Math.max(0, around.imageEpochs - 1)) } };
    case 'later':
      return { ui: { ...ui, epochsBack: Math.max(0, Math.min(ui.epochsBack, around.imageEpochs - 1) - 1) } };
    case 'metric':
      return { ui: { ...ui, metric: nextOf(around.metricNames, around.metric, 1) } };
    case 'pair':
      return { ui: { ...ui, pair: nextPair(around) } };
    case 'freeze':
      return { ui: { ...ui, frozen: !ui.frozen } };
    case 'pause':
      return controlSweep(ui, around, around.sweep?.paused ? 'resume' : 'pause');
    case 'stop':
      return confirmControl(ui, around, 'stop');
    case 'kill':
      return confirmControl(ui, around, 'kill');
    case 'drain':
      return toggleDrain(ui, around);
    case 'retry':
      return retrySelected(ui, around);
    case 'pane1':
    case 'pane2':
    case 'pane3':
    case 'pane4':
    case 'pane5':
      return { ui: toPane(ui, PANES[Number(command.at(-1)) - 1] ?? 'sweep') };
    case 'nextPane': {
      const at = PANES.indexOf(ui.stack[0].kind as Pane);
      return { ui: toPane(ui, PANES[(at + 1) % PANES.length] ?? 'sweep') };
    }
  }
}

/** By rows where there is a cursor, by lines elsewhere. */
function move(ui: Ui, around: ActionContext, by: number): Ui {
  const { kind } = viewOf(ui);
  const cursor = cursorOf(ui);
  if (!LIST_VIEWS.includes(kind)) {
    const offset = Math.min(Math.max(0, Math.min(cursor.offset, around.maxOffset) + by), around.maxOffset);
    return withCursor(ui, kind, { ...cursor, offset });
  }
  const found = cursor.id === undefined ? -1 : around.indexOf(cursor.id);
  const from = found >= 0 ? found : cursor.at;
  const at = Math.min(Math.max(0, from + by), Math.max(0, around.length - 1));
  const moved: Cursor = { id: around.idAt(at), at, offset: cursor.offset };
  const { offset } = windowOf(moved, around.length, around.page, () => at);
  return withCursor(ui, kind, { ...moved, offset });
}

const push = (ui: Ui, view: View): Ui => {
  const fresh = withCursor(
    ui,
    view.kind,
    view.kind === 'log' ? { ...START_CURSOR, offset: Number.MAX_SAFE_INTEGER } : START_CURSOR,
  );
  const same = viewOf(ui).kind === view.kind;
  return same ? ui : { ...fresh, stack: [...ui.stack, view], epochsBack: view.kind === 'help' ? ui.epochsBack : 0 };
};

const toPane = (ui: Ui, pane: Pane): Ui => ({ ...ui, stack: [{ kind: pane }] });

function back(ui: Ui): KeyResult {
  const [base, ...rest] = ui.stack;
  if (rest.length > 0) return { ui: { ...ui, stack: [base, ...rest.slice(0, -1)] } };
  // What the filter hides comes back first.
  if (base.kind === 'sweep' && ui.filterText !== '') return { ui: { ...ui, filterText: '', filter: ALL } };
  if (base.kind !== 'sweep') return { ui: toPane(ui, 'sweep') };
  return { ui, effect: { kind: 'leave' } };
}

function enter(ui: Ui, around: ActionContext): KeyResult {
  const view = viewOf(ui);
  const id = selected(ui, around);
  switch (view.kind) {
    case 'sweep': {
      const several = (around.config?.replicates ?? 1) > 1 && around.config?.id === id;
      if (several) return { ui: fold(ui, around, !ui.unfolded.has(around.config?.id ?? '')) };
      return { ui: around.trialId === undefined ? ui : push(ui, { kind: 'trial', trialId: around.trialId }) };
    }
    case 'events':
      return { ui: around.trialId === undefined ? ui : push(ui, { kind: 'trial', trialId: around.trialId }) };
    case 'agents':
      if (id === undefined) return { ui };
      return filterBy(toPane(ui, 'sweep'), `agent=${JSON.stringify(id)}`, around);
    case 'sweeps':
      if (id === undefined) return { ui };
      return { ui: toPane(ui, 'sweep'), effect: { kind: 'watch', sweep: id } };
    default:
      return { ui };
  }
}

function selected(ui: Ui, around: ActionContext): string | undefined {
  const cursor = cursorOf(ui);
  const found = cursor.id === undefined ? -1 : around.indexOf(cursor.id);
  return around.idAt(found >= 0 ? found : Math.min(cursor.at, around.length - 1));
}

function fold(ui: Ui, { config }: ActionContext, open: boolean): Ui {
  if (config === undefined || config.replicates < 2) return ui;
  const unfolded = new Set(ui.unfolded);
  if (open) unfolded.add(config.id);
  else unfolded.delete(config.id);
  const cursor: Cursor = { ...cursorOf(ui, 'sweep'), id: config.id };
  return withCursor({ ...ui, unfolded }, 'sweep', open ? { ...cursorOf(ui, 'sweep') } : cursor);
}

function mark(ui: Ui, around: ActionContext): Ui {
  const view = viewOf(ui);
  const id = view.kind === 'trial' ? view.trialId : selected(ui, around);
  if (id === undefined) return ui;
  const marks = new Set(ui.marks);
  if (!marks.delete(id)) marks.add(id);
  const marked: Ui = { ...ui, marks };
  return view.kind === 'sweep' ? move(marked, around, 1) : marked;
}

const sortBy = (ui: Ui, sortColumn: string | undefined): Ui => ({ ...ui, sortColumn, reversed: false });

function nextOf(all: readonly string[], current: string, by: 1 | -1): string | undefined {
  if (all.length === 0) return undefined;
  return all.at((all.indexOf(current) + by) % all.length);
}

function nextPair({ parameters, pair }: ActionContext): readonly [string, string] | undefined {
  const pairs = parameters.flatMap((a, i) => parameters.slice(i + 1).map((b) => [a, b] as const));
  const at = pairs.findIndex(([a, b]) => a === pair?.[0] && b === pair[1]);
  return pairs[(at + 1) % Math.max(1, pairs.length)];
}

function answer(ui: Ui, prompt: NonNullable<Ui['prompt']>, key: string, around: ActionContext): KeyResult {
  const done: Ui = { ...ui, prompt: undefined };
  if (prompt.kind === 'confirm') {
    if (key.toLowerCase() !== 'y') {
      return { ui: withStatus(done, `nothing was done: ${prompt.act.what} was not confirmed`) };
    }
    // What was asked about, whichever sweep is watched by now.
    return sendAction(done, prompt.act);
  }
  if (key === 'escape') return { ui: done };
  if (key === 'enter') {
    return prompt.kind === 'filter' ? filterBy(done, prompt.text, around) : command(done, prompt.text.trim(), around);
  }
  if (key === 'backspace') {
    return {
      ui: prompt.text === '' ? done : { ...ui, prompt: { ...prompt, text: [...prompt.text].slice(0, -1).join('') } },
    };
  }
  const typed = key === 'space' ? ' ' : NAMED.has(key) || key.startsWith('ctrl-') ? '' : key;
  return { ui: { ...ui, status: undefined, prompt: { ...prompt, text: prompt.text + typed } } };
}

/** Keys that are no text. */
const NAMED: ReadonlySet<string> = new Set(['up', 'down', 'left', 'right', 'pageup', 'pagedown', 'home', 'end', 'tab']);

/** A leading `!` inverts the whole. */
function filterBy(ui: Ui, text: string, around: ActionContext): KeyResult {
  const trimmed = text.trim();
  const cleared: Ui = withCursor({ ...ui, filterText: trimmed }, 'sweep', START_CURSOR);
  if (trimmed === '') return { ui: { ...cleared, filter: ALL } };
  try {
    const inverted = /^!(?![=~(])/.test(trimmed);
    const parsed = parseFilter(inverted ? trimmed.slice(1) : trimmed);
    const filter: Filter = inverted ? { kind: 'not', of: parsed } : parsed;
    const filtered: Ui = { ...cleared, filter };
    const trials = [...around.trials()];
    const unknown = namesIn(filter).find((name) => !trials.some((trial) => hasField(trial, name)));
    if (unknown === undefined || trials.length === 0) return { ui: filtered };
    return { ui: withStatus(filtered, `filter: no trial has ${JSON.stringify(unknown)}`, true) };
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    return { ui: withStatus({ ...ui, prompt: { kind: 'filter', text } }, error.message, true) };
  }
}

const READ_ONLY = 'read-only: nothing can be changed from here';

/** What is typed after `:`. */
function command(ui: Ui, text: string, around: ActionContext): KeyResult {
  const [verb = '', ...rest] = text.split(/\s+/);
  const argument = rest.join(' ');
  const failed = (why: string): KeyResult => ({ ui: withStatus(ui, why, true) });
  switch (verb) {
    case '':
      return { ui };
    case 'q':
    case 'quit':
      return { ui, effect: { kind: 'leave' } };
    case 'filter':
      return filterBy(ui, argument, around);
    case 'sort':
      if (argument !== '' && !around.sortColumns.includes(argument)) {
        return failed(`there is no column ${argument}; there are ${around.sortColumns.join(', ')}`);
      }
      return { ui: sortBy(ui, argument || undefined) };
    case 'metric':
      if (!around.metricNames.includes(argument)) {
        return failed(`no trial reports ${argument || 'that'}; reported are ${around.metricNames.join(', ')}`);
      }
      return { ui: { ...ui, metric: argument } };
    case 'heat': {
      const [a = '', b = ''] = rest;
      if (a === b || ![a, b].every((name) => around.parameters.includes(name))) {
        return failed(`name two of ${around.parameters.join(', ')}`);
      }
      return { ui: { ...toPane(ui, 'parameters'), pair: [a, b] } };
    }
    case 'sweep':
      return { ui: toPane(ui, 'sweep'), effect: { kind: 'watch', sweep: argument || 'last' } };
    case 'pause':
    case 'resume':
    case 'stop':
    case 'kill':
      if (around.readonly) return failed(READ_ONLY);
      return verb === 'pause' || verb === 'resume' ? controlSweep(ui, around, verb) : confirmControl(ui, around, verb);
    case 'retry':
      if (around.readonly) return failed(READ_ONLY);
      return retryByState(ui, around, rest);
    case 'priority':
      if (around.readonly) return failed(READ_ONLY);
      return prioritize(ui, around, argument);
    case 'help':
      return { ui: push(ui, { kind: 'help' }) };
    default:
      return failed(
        `there is no command ${verb}: sort, filter, metric, heat, sweep, pause, resume, stop, kill, retry, priority, help, quit`,
      );
  }
}
