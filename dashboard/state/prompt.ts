/** The prompt in the status line: a filter, a command, or a question to confirm. */
import {
  type ActionContext,
  changeReplay,
  confirmControl,
  type KeyResult,
  prioritize,
  requestControl,
  retryGroups,
  sendAction,
} from './actions.ts';
import { completeWord, editLine } from './line-editor.ts';
import { applyFilter, openPane, openView, searchFor, sortBy } from './navigation.ts';
import { MAX_SPEED, MIN_SPEED, parseSeek, SEEK_FORMS, seek, withSpeed } from './replay-clock.ts';
import { type Prompt, type Ui, withStatus } from './ui.ts';

/** Handles a key while a prompt is open. Only `y` and `Y` confirm a question. */
export function handlePromptKey(ui: Ui, prompt: Prompt, key: string, context: ActionContext): KeyResult {
  const closed: Ui = { ...ui, prompt: undefined };
  if (prompt.kind === 'confirm') {
    if (key.toLowerCase() !== 'y') return { ui: withStatus(closed, `${prompt.action.name} cancelled`) };
    return sendAction(closed, prompt.action);
  }
  if (key === 'escape') return { ui: closed };
  if (key === 'enter') {
    const text = prompt.text.trim();
    const entered = withHistory(closed, prompt.kind, text);
    switch (prompt.kind) {
      case 'filter':
        return applyFilter(entered, prompt.text, context);
      case 'search':
        return { ui: searchFor(entered, prompt.text, context) };
      case 'command':
        return runCommand(entered, text, context);
    }
  }
  if (key === 'backspace' && prompt.text === '') return { ui: closed };
  if (key === 'up' || key === 'down') return { ui: { ...ui, prompt: recalled(ui, prompt, key === 'up' ? 1 : -1) } };
  const line = key === 'tab' ? completeWord(prompt, candidates(prompt, context)) : editLine(prompt, key);
  return { ui: { ...ui, status: undefined, prompt: { ...prompt, ...line } } };
}

type TextPrompt = Exclude<Prompt, { kind: 'confirm' }>;

const MAX_HISTORY = 50;

function withHistory(ui: Ui, kind: TextPrompt['kind'], text: string): Ui {
  if (text === '') return ui;
  const entries = [text, ...ui.history[kind].filter((entry) => entry !== text)].slice(0, MAX_HISTORY);
  return { ...ui, history: { ...ui.history, [kind]: entries } };
}

/** Returns the prompt with an earlier or later entry of its history. */
function recalled({ history }: Ui, prompt: TextPrompt, by: 1 | -1): TextPrompt {
  const entries = history[prompt.kind];
  const entry = Math.min(Math.max(-1, prompt.entry + by), entries.length - 1);
  const text = entries[entry] ?? '';
  return { ...prompt, entry, text, at: [...text].length };
}

/** The words to which Tab can complete the word at the cursor of a prompt. */
function candidates(prompt: TextPrompt, context: ActionContext): readonly string[] {
  const { metricNames, parameters, sortColumns } = context;
  if (prompt.kind === 'search') return [];
  if (prompt.kind === 'filter') return [...new Set([...metricNames, ...parameters, ...FIELDS])];
  const [verb, ...rest] = prompt.text.split(/\s+/);
  if (rest.length === 0) return COMMANDS;
  switch (verb) {
    case 'sort':
      return sortColumns;
    case 'metric':
      return metricNames;
    case 'heat':
      return parameters;
    case 'filter':
      return [...metricNames, ...parameters, ...FIELDS];
    default:
      return [];
  }
}

const FIELDS = ['state', 'agent', 'trial', 'config', 'epoch', 'attempts', 'seed', 'index', 'backend', 'failure'];

const COMMANDS = [
  'sort',
  'filter',
  'metric',
  'heat',
  'sweep',
  'pause',
  'resume',
  'stop',
  'kill',
  'retry',
  'priority',
  'seek',
  'speed',
  'help',
  'quit',
];
const READ_ONLY = 'read-only: changes are disabled';

function runCommand(ui: Ui, text: string, context: ActionContext): KeyResult {
  const [verb = '', ...words] = text.split(/\s+/);
  const argument = words.join(' ');
  const failed = (reason: string): KeyResult => ({ ui: withStatus(ui, reason, true) });
  switch (verb) {
    case '':
      return { ui };
    case 'q':
    case 'quit':
      return { ui, effect: { kind: 'leave' } };
    case 'filter':
      return applyFilter(ui, argument, context);
    case 'sort':
      if (argument !== '' && !context.sortColumns.includes(argument)) {
        return failed(`no column ${JSON.stringify(argument)}; columns: ${context.sortColumns.join(', ')}`);
      }
      return { ui: sortBy(ui, argument || undefined) };
    case 'metric':
      if (!context.metricNames.includes(argument)) {
        return failed(`no metric ${JSON.stringify(argument)}; metrics: ${context.metricNames.join(', ')}`);
      }
      return { ui: { ...ui, metric: argument } };
    case 'heat': {
      const [a = '', b = ''] = words;
      if (a === b || ![a, b].every((name) => context.parameters.includes(name))) {
        return failed(`heat needs two different parameters from: ${context.parameters.join(', ')}`);
      }
      return { ui: { ...openPane(ui, 'parameters'), pair: [a, b] } };
    }
    case 'sweep':
      return { ui: openPane(ui, 'sweep'), effect: { kind: 'watch', sweep: argument || 'last' } };
    case 'pause':
    case 'resume':
      return context.readonly ? failed(READ_ONLY) : requestControl(ui, context, verb);
    case 'stop':
    case 'kill':
      return context.readonly ? failed(READ_ONLY) : confirmControl(ui, context, verb);
    case 'retry':
      return context.readonly ? failed(READ_ONLY) : retryGroups(ui, context, words);
    case 'priority':
      return context.readonly ? failed(READ_ONLY) : prioritize(ui, context, argument);
    case 'seek':
    case 'speed':
      return runReplayCommand(ui, verb, argument, context);
    case 'help':
      return { ui: openView(ui, { kind: 'help' }) };
    default:
      return failed(`no command ${JSON.stringify(verb)}; commands: ${COMMANDS.join(', ')}`);
  }
}

function runReplayCommand(ui: Ui, verb: 'seek' | 'speed', argument: string, context: ActionContext): KeyResult {
  const { replay } = context;
  if (replay === undefined) return { ui: withStatus(ui, `${verb} works in a replay only (trawl top --replay)`, true) };
  const { clock, realMs } = replay;
  if (verb === 'speed') {
    const speed = Number(argument.replace(/[x×]$/, ''));
    const isValid = argument !== '' && speed >= MIN_SPEED && speed <= MAX_SPEED;
    if (!isValid) return { ui: withStatus(ui, `speed needs a number from ${MIN_SPEED} to ${MAX_SPEED}`, true) };
    return changeReplay(ui, context, () => withSpeed(clock, realMs, speed));
  }
  const to = parseSeek(argument, clock, realMs);
  if (to === undefined) return { ui: withStatus(ui, `seek needs ${SEEK_FORMS}`, true) };
  return changeReplay(ui, context, () => seek(clock, realMs, to));
}
