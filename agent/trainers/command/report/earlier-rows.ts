/** Finds the rows of an earlier attempt in a CSV file that a program rewrites, for example when it resumes. */
import type { CsvRow } from './csv-table.ts';

/**
 * The maximum number of earlier rows that are compared. If there are more, all rows of a rewritten file count as new.
 */
const MAX_ROWS = 100_000;

/**
 * Filters out the rows that the file had before the program started. If a rewritten file begins with all earlier rows
 * and has further rows, only the further rows are new. Otherwise all of its rows are new.
 */
export class EarlierRows {
  #keys: string[] = [];
  /**
   * The rows that have been held back since a rewrite, because each equals the earlier row at its position. Undefined
   * while no rows are compared: before a rewrite, or when it is known which rows are new.
   */
  #held: CsvRow[] | undefined;
  #passes = 0;
  #open: string[] = [];

  /** Records a row that was in the file before the program started. */
  add(row: CsvRow): void {
    if (this.#keys.length <= MAX_ROWS) this.#keys.push(keyOf(row));
  }

  /**
   * Must be called after the last call of `add`.
   * @param open the unfinished rows at the end of the file. Such a row counts as new if its cells have changed when the
   * program has completed it.
   */
  complete(open: readonly CsvRow[]): void {
    this.#open = open.map(keyOf);
    for (const row of open) this.add(row);
    if (this.#keys.length > MAX_ROWS) this.#keys = [];
  }

  /** Must be called when the program has rewritten the file. */
  restart(): void {
    this.#held = this.#keys.length === 0 ? undefined : [];
    this.#passes = 0;
    this.#open = [];
  }

  /** Handles one more row of the file. Returns the rows that are now known to be new. */
  next(row: CsvRow): readonly CsvRow[] {
    if (this.#open.length > 0 && this.#open.shift() === keyOf(row)) return [];
    if (this.#held === undefined) return [row];
    if (this.#held.length === this.#keys.length) {
      this.#held = undefined;
      return [row];
    }
    this.#held.push(row);
    return keyOf(row) === this.#keys[this.#held.length - 1] ? [] : this.end();
  }

  /**
   * Must be called when all rows in the file have been read. Returns the rows that are now known to be new. After the
   * second call since a rewrite, the rewrite counts as finished.
   */
  endOfPass(): readonly CsvRow[] {
    if (this.#held === undefined) return [];
    this.#passes += 1;
    return this.#passes > 1 && this.#held.length < this.#keys.length ? this.end() : [];
  }

  /** Ends the comparison. All rows that were held back count as new, and are returned. */
  end(): readonly CsvRow[] {
    const held = this.#held ?? [];
    if (this.#held !== undefined) this.#keys = [];
    this.#held = undefined;
    return held;
  }
}

/**
 * Returns the same text for equal rows. A column that was added to the file makes no difference if its cells are empty.
 */
function keyOf(row: CsvRow): string {
  return row.kind === 'invalid' ? row.text : JSON.stringify([...row.values].sort(([a], [b]) => (a < b ? -1 : 1)));
}
