import { type Command, keyLabel, keysOf } from '../keys.ts';
import type { ViewKind } from '../state/ui.ts';
import { Label } from './Line.tsx';

const HINTS: readonly (readonly [Command, string, ViewKind?])[] = [
  ['enter', 'open'],
  ['back', 'back'],
  ['replayPause', 'pause'],
  ['replayBack', 'back 5%'],
  ['replayForward', 'forward 5%'],
  ['replayFaster', 'faster'],
  ['filter', 'filter'],
  ['search', 'search'],
  ['nextMatch', 'next match'],
  ['follow', 'follow'],
  ['sort', 'sort'],
  ['mark', 'mark'],
  ['compare', 'compare'],
  ['earlier', 'earlier'],
  ['later', 'later'],
  ['metric', 'metric'],
  ['pair', 'next pair'],
  ['log', 'log'],
  ['pane6', 'errors', 'sweep'],
  ['freeze', 'freeze'],
  ['pause', 'pause'],
  ['kill', 'kill'],
  ['retry', 'retry'],
  ['drain', 'drain'],
  ['help', 'help'],
];

interface Props {
  readonly view: ViewKind;
  readonly readonly: boolean;
  /** Whether a replay is shown. */
  readonly replay: boolean;
  readonly columns: number;
}

/** The most important keys of a view, as many as fit. The key of the help view is always shown. */
export function KeyLine({ view, readonly, replay, columns }: Props) {
  const bindings = keysOf(view, readonly, replay);
  const shown = HINTS.flatMap(([command, about, only = view]) => {
    if (only !== view) return [];
    const key = bindings.find((binding) => binding.command === command)?.keys.at(-1);
    return key === undefined ? [] : [`${keyLabel(key)} ${about}`];
  });
  return <Label text={fitting(shown, columns).join(BETWEEN)} columns={columns} style="dim" />;
}

const BETWEEN = ' · ';

/** Always keeps the last hint. Omits the hints before the last hint, from right to left, until the line fits. */
function fitting(hints: readonly string[], columns: number): readonly string[] {
  const last = hints.slice(-1);
  for (let count = hints.length - 1; count > 0; count--) {
    const kept = [...hints.slice(0, count), ...last];
    if (kept.join(BETWEEN).length <= columns) return kept;
  }
  return last;
}
