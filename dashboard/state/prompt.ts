/** The prompt in the status line: a filter, a command, or a question to confirm. */
import {
  type ActionContext,
  confirmControl,
  type KeyResult,
  prioritize,
  requestControl,
  retryGroups,
  sendAction,
} from './actions.ts';
import { applyFilter, openPane, openView, sortBy } from './navigation.ts';
import { type Prompt, type Ui, withStatus } from './ui.ts';

/** Handles a key while a prompt is open. Only `y` confirms a question. */
export function handlePromptKey(ui: Ui, prompt: Prompt, key: string, context: ActionContext): KeyResult {
  const closed: Ui = { ...ui, prompt: undefined };
  if (prompt.kind === 'confirm') {
    if (key.toLowerCase() !== 'y') return { ui: withStatus(closed, `${prompt.action.name} cancelled`) };
    return sendAction(closed, prompt.action);
  }
  if (key === 'escape') return { ui: closed };
  if (key === 'enter') {
    const text = prompt.text.trim();
    return prompt.kind === 'filter' ? applyFilter(closed, prompt.text, context) : runCommand(closed, text, context);
  }
  if (key === 'backspace') {
    if (prompt.text === '') return { ui: closed };
    return { ui: { ...ui, prompt: { ...prompt, text: [...prompt.text].slice(0, -1).join('') } } };
  }
  const typed = key === 'space' ? ' ' : NAMED_KEYS.has(key) || key.startsWith('ctrl-') ? '' : key;
  return { ui: { ...ui, status: undefined, prompt: { ...prompt, text: prompt.text + typed } } };
}

const NAMED_KEYS: ReadonlySet<string> = new Set([
  'up',
  'down',
  'left',
  'right',
  'pageup',
  'pagedown',
  'home',
  'end',
  'tab',
]);

const COMMANDS = 'sort, filter, metric, heat, sweep, pause, resume, stop, kill, retry, priority, help, quit';
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
        return failed(`heat needs two parameters of ${context.parameters.join(', ')}`);
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
    case 'help':
      return { ui: openView(ui, { kind: 'help' }) };
    default:
      return failed(`no command ${JSON.stringify(verb)}; commands: ${COMMANDS}`);
  }
}
