/** Lays out tables of text that fit the width of a terminal. */
import { sum } from 'd3-array';
import type { Segment } from './segment.ts';
import type { Style } from './style.ts';
import { visibleText } from './visible-text.ts';
import { columnsOf, pad, truncate } from './width.ts';

/** A column of a table of `Row`s. Numbers are right-aligned and never cut. */
export interface Column<Row> {
  readonly header: string;
  readonly numeric?: boolean;
  /** Whether the text is never cut, because a cut text would be useless. */
  readonly neverCut?: boolean;
  readonly cell: (row: Row) => string;
  readonly style?: (row: Row) => Style | undefined;
}

export interface TableLayout {
  readonly header: readonly Segment[];
  readonly rows: readonly (readonly Segment[])[];
  /** Headers of the columns that did not fit. */
  readonly hidden: readonly string[];
}

/**
 * Lays out a table for a terminal of `width` columns. Nothing is cut if `width` is undefined, as for a pipe. Makes
 * cells safe to print. Columns should be in order of importance, because the last columns are hidden first.
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
    mayCut: !column.numeric && !column.neverCut,
  }));
  const widths = fitColumns(needs, width);

  const line = (cells: readonly string[], styleOf: (c: number) => Style | undefined): Segment[] => {
    const shown = cells.slice(0, widths.length);
    const last = shown.findLastIndex((cell) => cell !== '');
    return shown.slice(0, last + 1).map((cell, c) => {
      const w = widths[c] ?? 0;
      const padded = pad(truncate(cell, w), w, columns[c]?.numeric ? 'left' : 'right');
      // Trailing spaces would wrap on a narrow terminal.
      return { text: c === last ? padded.trimEnd() : padded + ' '.repeat(GAP), style: styleOf(c) };
    });
  };

  return {
    header: line(headers, () => 'dim'),
    rows: rows.map((row, r) => line(texts[r] ?? [], (c) => columns[c]?.style?.(row))),
    hidden: headers.slice(widths.length).filter((_, c) => texts.some((cells) => cells[widths.length + c] !== '')),
  };
}

const GAP = 2;

const MIN_TEXT_WIDTH = 8;

interface ColumnNeed {
  /** Width of the widest cell, including the header. */
  readonly natural: number;
  /** Whether the column can be cut. Numbers cannot be cut, because a cut number reads as another number. */
  readonly mayCut: boolean;
}

function total(widths: readonly number[]): number {
  return sum(widths) + GAP * Math.max(0, widths.length - 1);
}

function cutWidest(needs: readonly ColumnNeed[], available: number): number[] {
  const widths = needs.map((need) => need.natural);
  while (total(widths) > available) {
    let widest = -1;
    for (let i = 0; i < widths.length; i++) {
      const width = widths[i] ?? 0;
      if (needs[i]?.mayCut && width > MIN_TEXT_WIDTH && (widest < 0 || width > (widths[widest] ?? 0))) widest = i;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/** Cuts the widest text columns first, then hides columns from the right, but never the first. */
function fitColumns(needs: readonly ColumnNeed[], available: number | undefined): number[] {
  if (available === undefined) return needs.map((need) => need.natural);
  for (let count = needs.length; count > 1; count--) {
    const widths = cutWidest(needs.slice(0, count), available);
    if (total(widths) <= available) return widths;
  }
  return needs.slice(0, 1).map((need) => Math.min(need.natural, available));
}
