import { ownValue } from '../domain/own-value.ts';
import { determinedLast, type ParameterPoint, parameterText, SEED } from '../domain/parameters.ts';
import type { Column } from './table.ts';

function isNumber({ parameters }: ParameterPoint, name: string): boolean {
  const kind = ownValue(parameters, name)?.kind;
  return kind === undefined ? name === SEED : kind.$case === 'number';
}

/** The maximum number of rows that are read to determine the columns. Further rows would rarely change the columns. */
const MAX_READ_ROWS = 5_000;

/**
 * The columns of the parameters in a table. `determined` has the parameters whose values another parameter determines.
 * `own` has all other parameters.
 */
export interface ParameterColumns<Row> {
  readonly own: readonly Column<Row>[];
  readonly determined: readonly Column<Row>[];
}

/**
 * Returns a column for each named parameter. A column is numeric if all its values are numbers. In other columns, long
 * values are shortened at the start, because paths usually differ at the end.
 */
export function parameterColumns<Row extends ParameterPoint>(
  rows: readonly Row[],
  names: readonly string[],
): ParameterColumns<Row> {
  const read = rows.slice(0, MAX_READ_ROWS);
  const columnOf = (name: string): Column<Row> => ({
    header: name,
    numeric: read.every((row) => isNumber(row, name) || parameterText(row, name) === ''),
    elide: 'start',
    cell: (row) => parameterText(row, name),
  });
  const { own, determined } = determinedLast(read, names);
  return { own: own.map(columnOf), determined: determined.map(columnOf) };
}
