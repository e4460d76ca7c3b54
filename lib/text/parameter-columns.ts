import { ownValue } from '../domain/own-value.ts';
import { type ParameterPoint, parameterText, SEED } from '../domain/parameters.ts';
import type { Column } from './table.ts';

function isNumber({ parameters }: ParameterPoint, name: string): boolean {
  const kind = ownValue(parameters, name)?.kind;
  return kind === undefined ? name === SEED : kind.$case === 'number';
}

/** Returns a column for each named parameter. A parameter that is a number in every row has a numeric column. */
export function parameterColumns<Row extends ParameterPoint>(
  rows: readonly Row[],
  names: readonly string[],
): Column<Row>[] {
  return names.map((name) => ({
    header: name,
    numeric: rows.every((row) => isNumber(row, name)),
    cell: (row) => parameterText(row, name),
  }));
}
