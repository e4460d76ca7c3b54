import { csvLine } from '../output/csv.ts';
import type { Table } from './table.ts';

/** A header, then a row a line; null is empty. */
export async function* csvText<Row>({ columns, rows }: Table<Row>): AsyncGenerator<string, void, void> {
  yield csvLine(columns.map(({ name }) => name));
  for await (const row of rows) yield csvLine(columns.map(({ read }) => read(row)));
}

/** A JSON array, a row a line. */
export async function* jsonText(rows: Iterable<object> | AsyncIterable<object>): AsyncGenerator<string, void, void> {
  let before = '[\n';
  for await (const row of rows) {
    yield before + JSON.stringify(row);
    before = ',\n';
  }
  yield before === '[\n' ? '[\n]\n' : '\n]\n';
}
