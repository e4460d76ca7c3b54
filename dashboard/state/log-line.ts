/** Makes a line of a program's output readable in a terminal. */
import { stripVTControlCharacters } from 'node:util';
import { visibleText } from '../../lib/text/visible-text.ts';

const TAB_COLUMNS = 4;

// biome-ignore lint/suspicious/noControlCharactersInRegex: removing control characters is the purpose
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/**
 * Returns a line of a log without colors and other control sequences, and with spaces instead of tabs. Only the last
 * state of a progress line is kept, because a carriage return overwrites the earlier states. Invisible and
 * bidirectional characters are escaped.
 */
export function logLine(text: string): string {
  if (text.search(CONTROL) === -1) return visibleText(text);
  const states = stripVTControlCharacters(text).split('\r');
  const last = states.findLast((state) => state !== '') ?? '';
  return visibleText(last.replaceAll('\t', ' '.repeat(TAB_COLUMNS)).replace(CONTROL, ''));
}
