import { visibleText } from '../../lib/text/visible-text.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { paint, type Terminal } from './terminal.ts';

/** `all: depth=3 epochs=10`, above a table whose rows all share these; nothing where they share none. */
export function sharedLine(shared: Parameters, terminal: Terminal): string {
  const pairs = Object.entries(shared).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? '' : `${paint(visibleText(`all: ${pairs.join(' ')}`), 'dim', terminal)}\n`;
}
