/** Lays out tables of text that fit the width of a terminal. */
import { sum } from 'd3-array';
import { asciiText } from './ascii.ts';
import { type CommonParts, commonParts } from './common-parts.ts';
import type { Segment } from './segment.ts';
import type { Style } from './style.ts';
import { visibleText } from './visible-text.ts';
import { columnsOf, type OmittedPart, pad, truncate } from './width.ts';

/**
 * A column of a table of `Row`s. Numbers are right-aligned and never cut, but a long header of a column of numbers can
 * be cut.
 */
export interface Column<Row> {
  readonly header: string;
  readonly numeric?: boolean;
  /** Whether the text is never cut, because a cut text would be useless. */
  readonly neverCut?: boolean;
  /**
   * The part of a long text that is left out. `middle` suits names. `start` suits values such as paths; if the values
   * of all rows have the same end, `start` also leaves out this end. `end` (default) suits sentences. `common` leaves
   * out the parts that all rows have in common.
   */
  readonly elide?: OmittedPart | 'common';
  /**
   * The smallest width to which texts of this column are cut. If the table still does not fit, columns are hidden.
   * Default: 8.
   */
  readonly minWidth?: number;
  /** Whether the column is required. Required columns are hidden only after all other columns. */
  readonly required?: boolean;
  readonly cell: (row: Row) => string;
  readonly style?: (row: Row) => Style | undefined;
}

/** Returns the column as a required column. */
export const required = <Row>(column: Column<Row>): Column<Row> => ({ ...column, required: true });

export interface TableLayout {
  readonly header: readonly Segment[];
  readonly rows: readonly (readonly Segment[])[];
  /** Headers of the columns that did not fit, except columns that are empty in every row. */
  readonly hidden: readonly string[];
}

export interface TableRoom {
  /** The number of columns of the terminal. Undefined for a pipe; nothing is then cut. */
  readonly width: number | undefined;
  /** Whether all text is converted to ASCII. Default: false. */
  readonly ascii?: boolean | undefined;
  /** Terminal columns that are kept free for a note if some columns of the table do not fit. Default: 0. */
  readonly noteWidth?: number | undefined;
  /**
   * Whether the rows are the visible part of a table that scrolls. Columns with the same text in every row are then
   * neither moved to the end nor hidden first, because the next rows may have other texts.
   */
  readonly isWindow?: boolean | undefined;
}

/**
 * Lays out a table for a terminal, with cells that are safe to print. If the table does not fit, texts are cut. If the
 * table still does not fit, columns are hidden in this order: columns with the same text in every row, other columns
 * from right to left, and finally the required columns. The first column is never hidden.
 * @param columns the columns, the most important first
 */
export function layoutTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width, ascii = false, noteWidth = 0, isWindow = false }: TableRoom,
): TableLayout {
  const shownText = (text: string) => (ascii ? asciiText(visibleText(text)) : visibleText(text));
  const known = new Map<Column<Row>, Measured<Row>>();
  const measure = (column: Column<Row>): Measured<Row> => {
    const one = known.get(column) ?? measured(column, rows, shownText, alikeHeaders(column, columns));
    known.set(column, one);
    return one;
  };
  let room = width;
  let { shown, hidden } = fittingColumns(columns, measure, room);
  if (hidden.length > 0 && width !== undefined) {
    room = Math.max(1, width - noteWidth);
    ({ shown, hidden } = fittingColumns(isWindow ? columns : constantLast(columns, measure), measure, room));
  }
  const widths = cutWidths(shown, room);

  const line = (cells: readonly string[], styleOf: (c: number) => Style | undefined): Segment[] => {
    const last = cells.findLastIndex((cell) => cell !== '');
    const segments: { text: string; style: Style | undefined }[] = [];
    for (let c = 0; c <= last; c++) {
      const text = pad(cells[c] ?? '', widths[c] ?? 0, shown[c]?.column.numeric ? 'left' : 'right');
      // Trailing spaces would wrap on a narrow terminal.
      const padded = c === last ? text.trimEnd() : text + ' '.repeat(GAP);
      const style = styleOf(c);
      const before = segments.at(-1);
      if (before !== undefined && before.style === style) before.text += padded;
      else segments.push({ text: padded, style });
    }
    return segments;
  };

  const cellsOf = (r: number) => shown.map((one, c) => cutCell(one.cells[r] ?? '', widths[c] ?? 0, one));
  return {
    header: line(
      shown.map(({ cutHeader }, c) => cutHeader(widths[c] ?? 0)),
      () => 'dim',
    ),
    rows: rows.map((row, r) => line(cellsOf(r), (c) => shown[c]?.column.style?.(row))),
    hidden: hidden
      .filter((column) => rows.some((row) => column.cell(row) !== ''))
      .map(({ header }) => shownText(header)),
  };
}

const GAP = 2;

const MIN_TEXT_WIDTH = 8;
const MIN_HEADER_WIDTH = 14;
const MAX_SHARED_END_WIDTH = 16;

interface Measured<Row> {
  readonly column: Column<Row>;
  readonly cutHeader: (width: number) => string;
  readonly cells: readonly string[];
  /** The width of the widest cell, including the header. */
  readonly natural: number;
  /**
   * The least width to which the column can be cut. Numbers cannot be cut, because a cut number reads as another
   * number. Only the header of a column of numbers can be cut.
   */
  readonly least: number;
  readonly common: CommonParts | undefined;
}

function measured<Row>(
  column: Column<Row>,
  rows: readonly Row[],
  shownText: (text: string) => string,
  alike: readonly string[],
): Measured<Row> {
  const header = shownText(column.header);
  const headers = alike.length > 1 ? commonParts(alike.map(shownText)) : undefined;
  const cutHeader = (width: number) => headers?.cut(header, width) ?? truncate(header, width, 'middle');
  const leastHeader = Math.min(columnsOf(header), Math.max(MIN_HEADER_WIDTH, headers?.minWidth ?? 0));
  const cells = rows.map((row) => shownText(column.cell(row)));
  const widest = cells.reduce((most, cell) => Math.max(most, columnsOf(cell)), 0);
  const natural = Math.max(widest, columnsOf(header));
  if (column.numeric || column.neverCut)
    return { column, cutHeader, cells, natural, least: Math.max(widest, leastHeader), common: undefined };
  const common = commonOf(column, cells);
  const leastText =
    column.elide === 'common' ? common?.minWidth : Math.min(MAX_SHARED_END_WIDTH, common?.minWidth ?? 0);
  const least = Math.min(natural, Math.max(column.minWidth ?? MIN_TEXT_WIDTH, leastText ?? 0));
  return { column, cutHeader, cells, natural, least, common };
}

/**
 * Returns the start and the end that all texts of a column share. Undefined if these parts must not be left out of long
 * texts. With `elide: 'start'`, they are left out only if all texts have the same end.
 */
function commonOf<Row>({ elide }: Column<Row>, cells: readonly string[]): CommonParts | undefined {
  if (elide !== 'common' && elide !== 'start') return undefined;
  const common = commonParts(cells.filter((cell) => cell !== '-' && cell !== ''));
  return elide === 'common' || common.hasCommonEnd ? common : undefined;
}

/**
 * Returns the headers that start and end like the header of a column. Such headers look the same when they are cut in
 * the middle.
 */
function alikeHeaders<Row>({ header }: Column<Row>, columns: readonly Column<Row>[]): string[] {
  if (header.length <= MIN_HEADER_WIDTH) return [];
  const half = Math.floor((MIN_HEADER_WIDTH - 1) / 2);
  const start = header.slice(0, half);
  const end = header.slice(-half);
  return columns.flatMap((other) =>
    other.header.startsWith(start) && other.header.endsWith(end) ? [other.header] : [],
  );
}

/** Whether a column is hidden only after all other columns. */
const isKept = <Row>(column: Column<Row>, at: number): boolean => at === 0 || column.required === true;

/**
 * Returns the columns that fit when all texts are cut as far as possible: the first column, the required columns, and
 * as many other columns from the left as fit. Does not read the cells of columns that cannot fit.
 */
function fittingColumns<Row>(
  columns: readonly Column<Row>[],
  measure: (column: Column<Row>) => Measured<Row>,
  width: number | undefined,
): { readonly shown: readonly Measured<Row>[]; readonly hidden: readonly Column<Row>[] } {
  if (width === undefined) return { shown: columns.map(measure), hidden: [] };
  const found = new Map<Column<Row>, Measured<Row>>();
  let used = -GAP;
  const add = (column: Column<Row>): boolean => {
    const one = measure(column);
    const isFirst = found.size === 0;
    if (!isFirst && used + GAP + one.least > width) return false;
    found.set(column, one);
    used += GAP + one.least;
    return true;
  };
  for (const column of columns.filter(isKept)) if (!add(column)) break;
  for (const column of columns.filter((column, at) => !isKept(column, at))) if (!add(column)) break;
  return {
    shown: columns.flatMap((column) => found.get(column) ?? []),
    hidden: columns.filter((column) => !found.has(column)),
  };
}

/**
 * If there are several rows, moves the columns that have the same text in every row to the end. The first column and
 * required columns keep their places.
 */
function constantLast<Row>(
  columns: readonly Column<Row>[],
  measure: (column: Column<Row>) => Measured<Row>,
): readonly Column<Row>[] {
  const isConstant = (column: Column<Row>, at: number) => {
    const { cells } = measure(column);
    return !isKept(column, at) && cells.length > 1 && cells.every((cell) => cell === cells[0]);
  };
  const constant = new Set(columns.filter(isConstant));
  return [...columns.filter((column) => !constant.has(column)), ...constant];
}

/** Cuts the widest text columns until the table fits. */
function cutWidths<Row>(shown: readonly Measured<Row>[], available: number | undefined): number[] {
  if (available === undefined) return shown.map(({ natural }) => natural);
  const widths = shown.map(({ natural, least }) => Math.min(natural, Math.max(least, available)));
  const total = () => sum(widths) + GAP * Math.max(0, widths.length - 1);
  for (let excess = total() - available; excess > 0; excess--) {
    let widest = -1;
    for (let c = 0; c < widths.length; c++) {
      const width = widths[c] ?? 0;
      if (width > (shown[c]?.least ?? width) && (widest < 0 || width > (widths[widest] ?? 0))) widest = c;
    }
    // Only the first column is left, and it is wider than the terminal.
    if (widest < 0) return widths.map((width) => Math.min(width, available));
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function cutCell<Row>(cell: string, width: number, { column: { elide = 'end' }, common }: Measured<Row>): string {
  if (common !== undefined) return common.cut(cell, width);
  return truncate(cell, width, elide === 'common' ? 'middle' : elide);
}
