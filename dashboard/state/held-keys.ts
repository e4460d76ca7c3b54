/** Decides which keys wait until the rows of a sweep have arrived. */
import { bindingOf, type Command } from '../keys.ts';
import { type Ui, viewOf } from './ui.ts';

/** The commands that work without the rows of the sweep. */
const NEEDS_NO_ROWS: ReadonlySet<Command> = new Set<Command>([
  ...(['back', 'help', 'filter', 'command', 'freeze', 'nextPane'] as const),
  ...(['pane1', 'pane2', 'pane3', 'pane4', 'pane5', 'pane6', 'pane7'] as const),
]);

const COMMAND_FOR_ROWS = /^\s*(sort|filter|metric|heat)\b/;

/** The keys that open a prompt. Keys that are pressed after one of these keys are text for the prompt. */
const OPENS_PROMPT: ReadonlySet<string> = new Set(['/', ':']);

/**
 * Returns whether a key waits until the rows arrive. A key waits if it needs the rows, or if an earlier key waits.
 * Ctrl-C never waits. A key that goes back waits only if an earlier waiting key opens a prompt: the key that goes back
 * can then be text for the prompt.
 * @param held the keys that already wait
 */
export function waitsForRows(ui: Ui, key: string, held: readonly string[]): boolean {
  if (key === 'ctrl-c') return false;
  const { prompt } = ui;
  const command = bindingOf(key, viewOf(ui).kind, false)?.command;
  if (held.length > 0) return command !== 'back' || held.some((earlier) => OPENS_PROMPT.has(earlier));
  if (prompt !== undefined) {
    if (key !== 'enter' || prompt.kind === 'confirm') return false;
    return prompt.kind === 'filter' || COMMAND_FOR_ROWS.test(prompt.text);
  }
  return command !== undefined && !NEEDS_NO_ROWS.has(command);
}
