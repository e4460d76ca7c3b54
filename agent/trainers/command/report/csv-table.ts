/** Reads the rows of a CSV file, with the names in its header, while the file grows. */
import { parse } from 'csv-parse/sync';
import { CsvRecords } from './csv-records.ts';
import { numberOf } from './steps.ts';

export type CsvRow =
  | {
      readonly kind: 'row';
      /**
       * The number of the row, from 1. Headers are not counted. If a file without a header replaces another file, its
       * numbers continue the numbers of that file.
       */
      readonly number: number;
      /** The cells that are not empty, by name. */
      readonly values: ReadonlyMap<string, string>;
    }
  | { readonly kind: 'invalid'; readonly text: string; readonly problem: string };

interface Header {
  readonly names: readonly string[];
  readonly delimiter: string;
}

export class CsvTable {
  readonly #records = new CsvRecords();
  #header: Header | undefined;
  #number = 0;
  readonly #previousHeader: Header | undefined;
  readonly #previousNumber: number = 0;

  /**
   * @param previous the table that the new table replaces. The header of the previous table applies if the new file has
   * no header, for example after a rotation.
   */
  constructor(previous?: CsvTable) {
    if (previous === undefined) return;
    this.#previousHeader = previous.#header ?? previous.#previousHeader;
    this.#previousNumber = previous.#number;
  }

  *push(bytes: Uint8Array): Generator<CsvRow, void, undefined> {
    for (const record of this.#records.push(bytes)) yield* this.#take(record);
  }

  /**
   * Yields the last row of the file if the row has no line end.
   * @param isWhole whether the program ended with exit code 0. Otherwise the row can end in the middle of a number, and
   * is not yielded.
   */
  *end(isWhole: boolean): Generator<CsvRow, void, undefined> {
    for (const record of this.#records.end()) if (isWhole) yield* this.#take(record);
  }

  *#take(record: string): Generator<CsvRow, void, undefined> {
    // If a file is truncated while a program writes it, the program continues at its old position in the file, and the
    // operating system fills the gap with NUL bytes.
    const text = record.replaceAll('\0', '').replace(/^\ufeff/, '');
    const delimiter = this.#header?.delimiter ?? delimiterOf(text);
    const cells = cellsOf(text, delimiter);
    if (cells === undefined) return yield { kind: 'invalid', text: record, problem: 'an invalid row' };
    if (this.#isHeader(cells)) {
      this.#header = { names: cells, delimiter };
      return;
    }
    if (this.#header === undefined && this.#previousHeader !== undefined) {
      this.#header = this.#previousHeader;
      this.#number = this.#previousNumber;
    }
    if (this.#header === undefined) {
      return yield { kind: 'invalid', text: record, problem: 'a row before the header' };
    }
    const { names } = this.#header;
    const named = names.flatMap((name, index) => (cells[index] ? [[name, cells[index]] as const] : []));
    yield { kind: 'row', number: ++this.#number, values: new Map(named) };
  }

  /** Returns a table in the same state. */
  copy(): CsvTable {
    const copy = new CsvTable(this);
    copy.#header = this.#header;
    copy.#number = this.#number;
    for (const _ of copy.#records.push(this.#records.rest));
    return copy;
  }

  /**
   * Returns whether a row is a header:
   * - the first row of a file, unless all of its cells are numbers
   * - a later row, if no cell is a number and at least one cell is a name in the current header
   * - the first row of a file that replaces another file, if no cell is a number, or if at least one cell is a name in
   *   the header of the other file
   */
  #isHeader(cells: readonly string[]): boolean {
    const hasNoNumber = cells.every((cell) => numberOf(cell) === undefined);
    const known = (this.#header ?? this.#previousHeader)?.names;
    if (known === undefined) return cells.some((cell) => numberOf(cell) === undefined);
    const sharesName = cells.some((cell) => cell !== '' && known.includes(cell));
    if (this.#header !== undefined) return hasNoNumber && sharesName;
    return sharesName || (hasNoNumber && cells.some((cell) => cell !== ''));
  }
}

/** Returns the first of these delimiters that the header contains: comma, tab, semicolon. The default is the comma. */
function delimiterOf(header: string): string {
  if (header.includes(',')) return ',';
  return ['\t', ';'].find((delimiter) => header.includes(delimiter)) ?? ',';
}

function cellsOf(text: string, delimiter: string): string[] | undefined {
  if (!text.includes('"')) return text.split(delimiter).map((cell) => cell.trim());
  try {
    const [cells]: string[][] = parse(text, { delimiter, relax_column_count: true, relax_quotes: true, trim: true });
    return cells;
  } catch {
    return undefined;
  }
}
