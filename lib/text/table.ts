import { fitColumns, GAP } from './fit-columns.ts';
import type { Segment } from './segment.ts';
import type { Style } from './style.ts';
import { pad, truncate } from './truncate.ts';
import { visibleText } from './visible-text.ts';
import { columnsOf } from './width.ts';

/** One column of a table of `Row`s. Numbers are right-aligned and never cut. */
export interface Column<Row> {
  readonly header: string;
  readonly numeric?: boolean;
  /** Text that says nothing once its end is cut. */
  readonly whole?: boolean;
  readonly cell: (row: Row) => string;
  readonly style?: (row: Row) => Style | undefined;
}

export interface TableLayout {
  readonly header: readonly Segment[];
  readonly rows: readonly (readonly Segment[])[];
  /** Headers of the columns for which there was no room. */
  readonly hidden: readonly string[];
}

/**
 * Lays a table out for a terminal of `width` columns (undefined: piped, nothing is cut or left out). Cells are made safe
 * to print here, so that no caller can forget it. Put the columns that matter most first.
 */
export function layoutTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number | undefined,
): TableLayout {
  const texts = rows.map((row) => columns.map((column) => visibleText(column.cell(row))));
  const headers = columns.map((column) => visibleText(column.header));
  const needs = columns.map((column, c) => ({
    natural: texts.reduce((most, cells) => Math.max(most, columnsOf(cells[c] ?? '')), columnsOf(headers[c] ?? '')),
    mayCut: !column.numeric && !column.whole,
  }));
  const widths = fitColumns(needs, width);

  const line = (cells: readonly string[], styleOf: (c: number) => Style | undefined): Segment[] => {
    const shown = cells.slice(0, widths.length);
    const last = shown.findLastIndex((cell) => cell !== '');
    return shown.slice(0, last + 1).map((cell, c) => {
      const w = widths[c] ?? 0;
      const padded = pad(truncate(cell, w), w, columns[c]?.numeric ? 'left' : 'right');
      // Spaces at the end of a line would wrap on a narrow terminal and clutter a pipe.
      return { text: c === last ? padded.trimEnd() : padded + ' '.repeat(GAP), style: styleOf(c) };
    });
  };

  return {
    header: line(headers, () => 'dim'),
    rows: rows.map((row, r) => line(texts[r] ?? [], (c) => columns[c]?.style?.(row))),
    // A column with nothing in it is not missed.
    hidden: headers.slice(widths.length).filter((_, c) => texts.some((cells) => cells[widths.length + c] !== '')),
  };
}
