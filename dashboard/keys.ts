/** Every key of the dashboard: what it does, where, and what the help says of it. */
import type { ViewKind } from './state/ui.ts';

export type Command =
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'top'
  | 'bottom'
  | 'enter'
  | 'back'
  | 'help'
  | 'filter'
  | 'command'
  | 'sort'
  | 'sortBack'
  | 'reverse'
  | 'columnsRight'
  | 'columnsLeft'
  | 'unfold'
  | 'fold'
  | 'mark'
  | 'unmark'
  | 'compare'
  | 'log'
  | 'describe'
  | 'freeze'
  | 'earlier'
  | 'later'
  | 'metric'
  | 'pair'
  | 'pause'
  | 'stop'
  | 'kill'
  | 'drain'
  | 'retry'
  | 'explain'
  | 'pane1'
  | 'pane2'
  | 'pane3'
  | 'pane4'
  | 'pane5'
  | 'nextPane';

export interface KeyBinding {
  /** As `keyName` names them. */
  readonly keys: readonly string[];
  readonly about: string;
  readonly command: Command;
  /** Where it works; undefined: everywhere. */
  readonly in?: readonly ViewKind[];
  /** Changes the sweep: `--readonly` has none of it. */
  readonly acts?: true;
}

const BOARD: readonly ViewKind[] = ['sweep'];
const STEERED: readonly ViewKind[] = [
  'sweep',
  'trial',
  'compare',
  'parameters',
  'agents',
  'events',
  'sweeps',
  'log',
  'explain',
];
const RETRIED: readonly ViewKind[] = ['sweep', 'trial', 'compare', 'events', 'log', 'explain'];

/** In the order of the help. What a coordinator learns to do gets a line here, a name above, and a case in state/press.ts. */
export const KEYS: readonly KeyBinding[] = [
  { keys: ['j', 'down'], command: 'down', about: 'down' },
  { keys: ['k', 'up'], command: 'up', about: 'up' },
  { keys: ['pagedown', 'ctrl-f'], command: 'pageDown', about: 'a page down' },
  { keys: ['pageup', 'ctrl-b'], command: 'pageUp', about: 'a page up' },
  { keys: ['g', 'home'], command: 'top', about: 'to the top' },
  { keys: ['G', 'end'], command: 'bottom', about: 'to the bottom' },
  {
    keys: ['enter'],
    command: 'enter',
    about: 'in: the trial, the replicates, the sweep',
    in: ['sweep', 'events', 'agents', 'sweeps'],
  },
  { keys: ['escape', 'q'], command: 'back', about: 'out one level; at the top q leaves' },
  { keys: ['1'], command: 'pane1', about: 'the leaderboard' },
  { keys: ['2'], command: 'pane2', about: 'parameters: effects, importance, heat map' },
  { keys: ['3'], command: 'pane3', about: 'agents' },
  { keys: ['4'], command: 'pane4', about: 'events' },
  { keys: ['5'], command: 'pane5', about: 'sweeps' },
  { keys: ['tab'], command: 'nextPane', about: 'the next of these' },
  { keys: ['/'], command: 'filter', about: 'filter: psnr>20 and depth=3; a leading ! inverts', in: BOARD },
  { keys: ['s'], command: 'sort', about: 'sort by the next column', in: BOARD },
  { keys: ['S'], command: 'sortBack', about: 'sort by the column before', in: BOARD },
  { keys: ['r'], command: 'reverse', about: 'reverse the order', in: BOARD },
  { keys: ['>'], command: 'columnsRight', about: 'columns further right', in: BOARD },
  { keys: ['<'], command: 'columnsLeft', about: 'columns further left', in: BOARD },
  { keys: ['right'], command: 'unfold', about: 'unfold the replicates', in: BOARD },
  { keys: ['left'], command: 'fold', about: 'fold them', in: BOARD },
  { keys: ['space'], command: 'mark', about: 'mark, for comparing', in: ['sweep', 'trial'] },
  { keys: ['U'], command: 'unmark', about: 'take all marks off', in: ['sweep', 'compare'] },
  { keys: ['c'], command: 'compare', about: 'compare what is marked', in: ['sweep', 'trial'] },
  { keys: ['d'], command: 'describe', about: 'describe the trial', in: ['sweep', 'events'] },
  { keys: ['l'], command: 'log', about: "the trial's log", in: ['sweep', 'events', 'trial'] },
  {
    keys: ['e'],
    command: 'explain',
    about: 'explain why the trial does not run',
    in: ['sweep', 'events', 'trial', 'log'],
  },
  { keys: ['['], command: 'earlier', about: 'reconstructions of an earlier epoch', in: ['trial', 'compare'] },
  { keys: [']'], command: 'later', about: 'reconstructions of a later epoch', in: ['trial', 'compare'] },
  { keys: ['m'], command: 'metric', about: 'the next metric', in: ['parameters', 'compare'] },
  { keys: ['h'], command: 'pair', about: 'the heat map of the next two parameters', in: ['parameters'] },
  { keys: ['u'], command: 'freeze', about: 'freeze the picture; again: go on' },
  { keys: ['p'], command: 'pause', about: 'pause the sweep, or resume it', in: STEERED, acts: true },
  { keys: ['x'], command: 'stop', about: 'stop: running trials finish (asks)', in: STEERED, acts: true },
  { keys: ['K'], command: 'kill', about: 'kill: running trials end now (asks)', in: STEERED, acts: true },
  {
    keys: ['R'],
    command: 'retry',
    about: 'retry what is marked, or under the cursor (asks for several)',
    in: RETRIED,
    acts: true,
  },
  { keys: ['D'], command: 'drain', about: 'drain the agent (asks), or let it work again', in: ['agents'], acts: true },
  { keys: [':'], command: 'command', about: 'a command: sort, filter, metric, heat, sweep, quit, ...' },
  { keys: ['?'], command: 'help', about: 'what works here' },
];

/** What Ink says of a key press. */
export interface Press {
  readonly input: string;
  readonly key: Partial<
    Record<
      | 'upArrow'
      | 'downArrow'
      | 'leftArrow'
      | 'rightArrow'
      | 'pageUp'
      | 'pageDown'
      | 'home'
      | 'end'
      | 'return'
      | 'escape'
      | 'tab'
      | 'backspace'
      | 'delete'
      | 'ctrl'
      | 'meta',
      boolean
    >
  >;
}

const NAMES = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pageup'],
  ['pageDown', 'pagedown'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'escape'],
  ['tab', 'tab'],
  ['backspace', 'backspace'],
  ['delete', 'backspace'],
] as const;

/** A key by its name (`down`, `enter`, `ctrl-c`) or its character; empty where it is neither. */
export function keyName({ input, key }: Press): string {
  const named = NAMES.find(([flag]) => key[flag]);
  if (named !== undefined) return named[1];
  if (key.ctrl) return `ctrl-${input}`;
  if (key.meta) return '';
  return input === ' ' ? 'space' : input;
}

/** Control characters that are keys, where several presses come as one text. */
const CONTROLS: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\b': 'backspace',
  '\u007f': 'backspace',
  '\u001b': 'escape',
};

/** The keys of one message from the terminal: over a slow line, or pasted, many come together. */
export function keyNames(press: Press): string[] {
  const name = keyName(press);
  if (name !== press.input) return name === '' ? [] : [name];
  return [...name].map((one) => CONTROLS[one] ?? (/\p{Cc}/u.test(one) ? '' : keyName({ input: one, key: {} })));
}

/** What a key does in a view, if anything. */
export function bindingOf(name: string, view: ViewKind, readonly: boolean): KeyBinding | undefined {
  return keysOf(view, readonly).find(({ keys }) => keys.includes(name));
}

/** The keys that work in a view. */
export function keysOf(view: ViewKind, readonly: boolean): KeyBinding[] {
  return KEYS.filter((binding) => (binding.in?.includes(view) ?? true) && !(readonly && binding.acts));
}

/** A key as the help writes it. */
export function keyLabel(key: string): string {
  const labels: Readonly<Record<string, string>> = {
    down: '↓',
    up: '↑',
    left: '←',
    right: '→',
    pagedown: 'PgDn',
    pageup: 'PgUp',
    'ctrl-f': 'Ctrl-F',
    'ctrl-b': 'Ctrl-B',
    home: 'Home',
    end: 'End',
    enter: 'Enter',
    escape: 'Esc',
    tab: 'Tab',
    space: 'Space',
  };
  return labels[key] ?? key;
}
