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
