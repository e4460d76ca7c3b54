import { type Column, layoutTable } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { paint, paintLine, type Terminal } from './terminal.ts';

/**
 * Renders a table, one line per row. The table fits the width of the terminal. If columns are hidden, the last line
 * shows the number of hidden columns.
 */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], terminal: Terminal): string {
  const layout = layoutTable(columns, rows, terminal);
  const lines = [layout.header, ...layout.rows].map((line) => paintLine(line, terminal));
  if (layout.hidden.length > 0) {
    const columns = layout.hidden.length === 1 ? '1 column' : `${layout.hidden.length} columns`;
    lines.push(paint(`${columns} hidden (use -o wide)`, 'dim', terminal));
  }
  return `${lines.join('\n')}\n`;
}

/** Renders `name  value` lines. */
export function renderFields(fields: readonly (readonly [string, string])[], terminal: Terminal): string {
  const columns: Column<readonly [string, string]>[] = [
    { header: '', cell: ([name]) => name, style: () => 'dim' },
    { header: '', cell: ([, value]) => value },
  ];
  const { rows } = layoutTable(columns, fields, { width: undefined, ascii: terminal.ascii });
  return `${rows.map((line) => paintLine(line, terminal)).join('\n')}\n`;
}

/**
 * Returns the line above a table. It lists the parameters that all rows share, such as `all: depth=3 epochs=10`. Empty
 * if the rows share no parameter.
 */
export function sharedLine(shared: Parameters, terminal: Terminal): string {
  const pairs = Object.entries(shared).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? '' : `${paint(visibleText(`all: ${pairs.join(' ')}`), 'dim', terminal)}\n`;
}
