import type { Table } from './table.ts';

/** RFC 4180: fields with a quote, a comma or a line break are quoted, quotes are doubled, lines end in CRLF. */

export type CsvValue = string | number | boolean | null;

function field(value: CsvValue): string {
  const text = value === null ? '' : String(value);
  // A lone space at either end is quoted too: some readers trim it.
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csvLine(values: readonly CsvValue[]): string {
  return `${values.map(field).join(',')}\r\n`;
}

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
