/** The table of keys, with the command, the views and the help text of each key. */
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
  | 'search'
  | 'nextMatch'
  | 'previousMatch'
  | 'follow'
  | 'describe'
  | 'freeze'
  | 'earlier'
  | 'later'
  | 'metric'
  | 'pair'
  | 'nextKind'
  | 'replayPause'
  | 'replayForward'
  | 'replayBack'
  | 'replayFaster'
  | 'replaySlower'
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
  | 'pane6'
  | 'pane7'
  | 'nextPane'
  | 'nextFailure'
  | 'previousFailure'
  | 'nextTrial'
  | 'previousTrial'
  | 'copy';

export interface KeyBinding {
  /** Names of keys, as `keyNames` returns them. */
  readonly keys: readonly string[];
  /** The help text. */
  readonly about: string;
  readonly command: Command;
  /** The views in which the key has an effect. Undefined if the key has an effect in every view. */
  readonly in?: readonly ViewKind[];
  /** Whether the key changes a sweep, a trial or an agent. `--readonly` disables such keys. */
  readonly changes?: true;
  /** Whether the key has this effect only in a replay. A replay then ignores every other binding of the key. */
  readonly replay?: true;
}

const BOARD_VIEW: readonly ViewKind[] = ['sweep'];
const SORTED_VIEWS: readonly ViewKind[] = ['sweep', 'agents'];
const CONTROL_VIEWS: readonly ViewKind[] = [
  'sweep',
  'trial',
  'compare',
  'parameters',
  'agents',
  'events',
  'sweeps',
  'errors',
  'rungs',
  'log',
  'explain',
];
const KILL_VIEWS: readonly ViewKind[] = ['sweep', 'trial', 'events', 'sweeps', 'log', 'explain'];
const RETRY_VIEWS: readonly ViewKind[] = ['sweep', 'trial', 'compare', 'events', 'errors', 'log', 'explain'];

/**
 * The bindings of all keys, in the order of the help view. A new key needs a line here, a command above and a case in
 * state/handle-key.ts.
 */
export const KEYS: readonly KeyBinding[] = [
  { keys: ['j', 'down'], command: 'down', about: 'move down' },
  { keys: ['k', 'up'], command: 'up', about: 'move up' },
  { keys: ['pagedown', 'ctrl-f'], command: 'pageDown', about: 'page down' },
  { keys: ['pageup', 'ctrl-b'], command: 'pageUp', about: 'page up' },
  { keys: ['g', 'home'], command: 'top', about: 'go to the top' },
  { keys: ['G', 'end'], command: 'bottom', about: 'go to the bottom' },
  {
    keys: ['enter'],
    command: 'enter',
    about: 'open',
    in: ['sweep', 'events', 'agents', 'sweeps', 'errors'],
  },
  { keys: ['escape', 'q'], command: 'back', about: 'back; quit on the leaderboard' },
  { keys: ['1'], command: 'pane1', about: 'leaderboard' },
  { keys: ['2'], command: 'pane2', about: 'parameters: effects, importance, heat map' },
  { keys: ['3'], command: 'pane3', about: 'agents' },
  { keys: ['4'], command: 'pane4', about: 'events' },
  { keys: ['5'], command: 'pane5', about: 'sweeps' },
  { keys: ['6'], command: 'pane6', about: 'errors: failures by class and message' },
  { keys: ['7'], command: 'pane7', about: 'rungs of early stopping; lineage of a population' },
  { keys: ['tab'], command: 'nextPane', about: 'next view' },
  {
    keys: ['/'],
    command: 'filter',
    about: 'filter, such as psnr>20 and depth=3 (a leading ! inverts)',
    in: BOARD_VIEW,
  },
  {
    keys: ['/'],
    command: 'filter',
    about: 'filter, such as state=lost or busy=0 (a leading ! inverts)',
    in: ['agents'],
  },
  {
    keys: ['/'],
    command: 'filter',
    about: 'filter, such as kind=lost or detail~oom (a leading ! inverts)',
    in: ['events'],
  },
  { keys: ['f'], command: 'nextKind', about: 'show the next kind of event only', in: ['events'] },
  { keys: ['s'], command: 'sort', about: 'sort by the next column', in: SORTED_VIEWS },
  { keys: ['S'], command: 'sortBack', about: 'sort by the previous column', in: SORTED_VIEWS },
  { keys: ['r'], command: 'reverse', about: 'reverse the sort order', in: SORTED_VIEWS },
  { keys: ['>'], command: 'columnsRight', about: 'scroll columns right', in: BOARD_VIEW },
  { keys: ['<'], command: 'columnsLeft', about: 'scroll columns left', in: BOARD_VIEW },
  { keys: ['right'], command: 'unfold', about: 'show replicates', in: BOARD_VIEW },
  { keys: ['left'], command: 'fold', about: 'hide replicates', in: BOARD_VIEW },
  { keys: ['space'], command: 'mark', about: 'mark for comparison', in: ['sweep', 'trial'] },
  { keys: ['U'], command: 'unmark', about: 'clear marks', in: ['sweep', 'compare'] },
  { keys: ['c'], command: 'compare', about: 'compare marked rows', in: ['sweep', 'trial'] },
  { keys: ['d'], command: 'describe', about: 'open the trial', in: ['sweep', 'events', 'errors'] },
  { keys: ['l'], command: 'log', about: 'log of the trial', in: ['sweep', 'events', 'trial', 'errors'] },
  {
    keys: ['e'],
    command: 'explain',
    about: 'explain why the trial is not running',
    in: ['sweep', 'events', 'trial', 'errors', 'log'],
  },
  { keys: ['['], command: 'earlier', about: 'reconstructions of an earlier epoch', in: ['trial', 'compare'] },
  { keys: [']'], command: 'later', about: 'reconstructions of a later epoch', in: ['trial', 'compare'] },
  { keys: ['n'], command: 'nextFailure', about: 'next failed row', in: BOARD_VIEW },
  { keys: ['N'], command: 'previousFailure', about: 'previous failed row', in: BOARD_VIEW },
  {
    keys: ['/'],
    command: 'search',
    about: 'search the log (an upper-case letter makes it case-sensitive)',
    in: ['log'],
  },
  { keys: ['n'], command: 'nextMatch', about: 'next match', in: ['log'] },
  { keys: ['N'], command: 'previousMatch', about: 'previous match', in: ['log'] },
  { keys: ['f'], command: 'follow', about: 'follow new lines / stop (moving up stops, G follows)', in: ['log'] },
  {
    keys: ['right'],
    command: 'nextTrial',
    about: 'next trial on the leaderboard, or in the group of failures',
    in: ['trial'],
  },
  {
    keys: ['left'],
    command: 'previousTrial',
    about: 'previous trial on the leaderboard, or in the group of failures',
    in: ['trial'],
  },
  { keys: ['y'], command: 'copy', about: 'copy the id of the trial, agent or sweep (config: its best trial)' },
  { keys: ['m'], command: 'metric', about: 'next metric', in: ['parameters', 'compare'] },
  { keys: ['h'], command: 'pair', about: 'heat map of the next two parameters', in: ['parameters'] },
  { keys: ['u'], command: 'freeze', about: 'freeze / resume display' },
  { keys: ['p'], command: 'pause', about: 'pause / resume the sweep', in: CONTROL_VIEWS, changes: true },
  {
    keys: ['x'],
    command: 'stop',
    about: 'stop the sweep; let started trials finish (asks first)',
    in: CONTROL_VIEWS,
    changes: true,
  },
  {
    keys: ['K'],
    command: 'kill',
    about: 'kill the trial, or the sweep under the cursor in the list of sweeps (asks first)',
    in: KILL_VIEWS,
    changes: true,
  },
  {
    keys: ['R'],
    command: 'retry',
    about: 'retry marked trials, or the trial or failure group at the cursor',
    in: RETRY_VIEWS,
    changes: true,
  },
  { keys: ['D'], command: 'drain', about: 'drain / undrain the agent', in: ['agents'], changes: true },
  { keys: ['p'], command: 'replayPause', about: 'pause / resume the replay', replay: true },
  { keys: ['right'], command: 'replayForward', about: 'forward by 5% of the sweep', replay: true },
  { keys: ['left'], command: 'replayBack', about: 'back by 5% of the sweep', replay: true },
  { keys: ['+'], command: 'replayFaster', about: 'twice as fast', replay: true },
  { keys: ['-'], command: 'replaySlower', about: 'half as fast', replay: true },
  { keys: [':'], command: 'command', about: 'command: sort, filter, metric, heat, sweep, quit, ...' },
  { keys: ['?'], command: 'help', about: 'help for this view' },
];

/** A key press as reported by Ink. */
export interface KeyPress {
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

function keyName({ input, key }: KeyPress): string {
  const named = NAMES.find(([flag]) => key[flag]);
  if (named !== undefined) return named[1];
  if (key.ctrl) return `ctrl-${input}`;
  if (key.meta) return '';
  return input === ' ' ? 'space' : input;
}

/** The keys that arrive as control characters if one input event holds several key presses. */
const CONTROLS: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\b': 'backspace',
  '\u007f': 'backspace',
  '\u001b': 'escape',
};

/** Returns the keys of one input event. Over a slow connection, or with pasted text, one event holds several keys. */
export function keyNames(press: KeyPress): string[] {
  const name = keyName(press);
  if (name !== press.input) return name === '' ? [] : [name];
  return [...name].map((one) => CONTROLS[one] ?? (/\p{Cc}/u.test(one) ? '' : keyName({ input: one, key: {} })));
}

/** Returns the binding of a key in a view. */
export function bindingOf(name: string, view: ViewKind, readonly: boolean, replay = false): KeyBinding | undefined {
  return keysOf(view, readonly, replay).find(({ keys }) => keys.includes(name));
}

/** Returns the bindings of a view. */
export function keysOf(view: ViewKind, readonly: boolean, replay = false): KeyBinding[] {
  const found = KEYS.filter((binding) => (binding.in?.includes(view) ?? true) && !(readonly && binding.changes));
  const own = found.filter((binding) => binding.replay);
  const others = found.filter((binding) => !binding.replay);
  if (!replay) return others;
  const taken = own.flatMap(({ keys }) => keys);
  return [...own, ...others.filter(({ keys }) => !keys.some((key) => taken.includes(key)))];
}

/** Returns the key as shown in the help. */
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
