/** A table to export, whichever format it goes to: typed columns, and rows that need not all be in memory. */

/** `time` is ISO 8601 text in UTC; an `integer` is a safe one. */
export type CellType = 'integer' | 'number' | 'text' | 'flag' | 'time';
export type Cell = string | number | boolean | null;

export interface Column<Row> {
  readonly name: string;
  readonly type: CellType;
  readonly read: (row: Row) => Cell;
}

export interface Table<Row> {
  readonly columns: readonly Column<Row>[];
  readonly rows: Iterable<Row> | AsyncIterable<Row>;
}
