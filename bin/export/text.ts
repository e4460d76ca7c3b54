/** Writes tables as CSV (RFC 4180) and JSON. */
import type { ExportTable } from './table.ts';

export type CsvValue = string | number | boolean | null;

/**
 * Spreadsheets run text as a formula if the text begins with one of the characters `=`, `+`, `-` and `@`, even after
 * spaces. The full-width forms of these characters have the same effect. A tab or a line break at the start can hide
 * the first character of a formula.
 */
const FORMULA = /^(?:[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20])/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * Adds an apostrophe before text that a spreadsheet would run as a formula, so that the spreadsheet shows plain text.
 * Returns other text, and a number such as `-1`, unchanged.
 */
export function withoutFormula(text: string): string {
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}

function field(value: CsvValue): string {
  const text = typeof value === 'string' ? withoutFormula(value) : String(value ?? '');
  // Text with a space at either end is quoted, because some readers trim spaces.
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Returns a CSV line. Fields with a quote, a comma, a line break, or a space at either end are quoted. The line ends
 * with CRLF.
 */
export function csvLine(values: readonly CsvValue[]): string {
  return `${values.map(field).join(',')}\r\n`;
}

/** Yields a header, then one line per row. Null is an empty field. */
export async function* csvText<Row>({ columns, rows }: ExportTable<Row>): AsyncGenerator<string, void, void> {
  yield csvLine(columns.map(({ name }) => name));
  for await (const row of rows) yield csvLine(columns.map(({ read }) => read(row)));
}

/** Yields a JSON array with one row per line. */
export async function* jsonText(rows: Iterable<object> | AsyncIterable<object>): AsyncGenerator<string, void, void> {
  let before = '[\n';
  for await (const row of rows) {
    yield before + JSON.stringify(row);
    before = ',\n';
  }
  yield before === '[\n' ? '[\n]\n' : '\n]\n';
}
