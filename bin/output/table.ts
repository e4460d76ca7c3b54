import { type Column, layoutTable } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { paint, paintLine, type Terminal } from './terminal.ts';

/**
 * A table as text, a line a row, ending in a line break. On a terminal it fits the width, and says which columns it had
 * to leave out; piped it is whole.
 */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], terminal: Terminal): string {
  const layout = layoutTable(columns, rows, terminal.width);
  const lines = [layout.header, ...layout.rows].map((line) => paintLine(line, terminal));
  if (layout.hidden.length > 0) {
    const names = layout.hidden.join(', ');
    lines.push(paint(`no room for: ${names} (a wider terminal, a pipe or -o json shows them)`, 'dim', terminal));
  }
  return `${lines.join('\n')}\n`;
}

/** `name  value` lines. */
export function renderFields(fields: readonly (readonly [string, string])[], terminal: Terminal): string {
  const columns: Column<readonly [string, string]>[] = [
    { header: '', cell: ([name]) => name, style: () => 'dim' },
    { header: '', cell: ([, value]) => value },
  ];
  const { rows } = layoutTable(columns, fields, undefined);
  return `${rows.map((line) => paintLine(line, terminal)).join('\n')}\n`;
}

/** `all: depth=3 epochs=10`, above a table whose rows all share these; nothing where they share none. */
export function sharedLine(shared: Parameters, terminal: Terminal): string {
  const pairs = Object.entries(shared).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? '' : `${paint(visibleText(`all: ${pairs.join(' ')}`), 'dim', terminal)}\n`;
}
