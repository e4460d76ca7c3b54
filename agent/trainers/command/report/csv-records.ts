/** Splits a CSV file into records while it grows. A cell in quotes can contain line breaks. */

const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const CELL_SEPARATORS: ReadonlySet<number | undefined> = new Set([0x2c, 0x3b, 0x09, 0x20]);

/** The maximum size of a record in bytes. A longer record is skipped. */
export const MAX_RECORD_BYTES = 1 << 20;
/**
 * If a cell in quotes contains a line break, and no closing quote follows within this number of bytes after the start
 * of the record, the record ends at the line break.
 */
const MAX_QUOTED_BYTES = 64 * 1024;

export class CsvRecords {
  #rest: Buffer = Buffer.alloc(0);
  #scanned = 0;
  #isQuoted = false;
  /**
   * Whether the previous byte is a quote that closed a cell. If another quote follows, the two are an escaped quote.
   */
  #hasClosed = false;
  #firstBreak = -1;
  #isTooLong = false;

  /** The bytes after the last complete record. */
  get rest(): Buffer {
    return this.#rest;
  }

  *push(bytes: Uint8Array): Generator<string, void, undefined> {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (!this.#isQuoted && !this.#rest.includes(QUOTE, this.#scanned)) yield* this.#takeLines();
    while (this.#scanned < this.#rest.length) {
      const at = this.#scanned++;
      if (this.#rest[at] === LINE_FEED && !this.#isQuoted) yield* this.#take(at);
      else this.#scanQuotes(at);
      if (this.#isQuoted && this.#firstBreak !== -1 && at > MAX_QUOTED_BYTES) yield* this.#take(this.#firstBreak);
    }
    if (this.#rest.length <= MAX_RECORD_BYTES) return;
    this.#isTooLong = true;
    this.#drop(this.#rest.length);
  }

  /** Splits bytes without quotes into records. This is much faster than the loop over single bytes in `push`. */
  *#takeLines(): Generator<string, void, undefined> {
    if (this.#scanned < this.#rest.length) this.#hasClosed = false;
    for (let at = this.#rest.indexOf(LINE_FEED, this.#scanned); at !== -1; at = this.#rest.indexOf(LINE_FEED)) {
      yield* this.#take(at);
    }
    this.#scanned = this.#rest.length;
  }

  /** Yields what follows the last complete record of the file. An unclosed cell in quotes is split at line breaks. */
  *end(): Generator<string, void, undefined> {
    while (this.#isQuoted && this.#firstBreak !== -1) {
      yield* this.#take(this.#firstBreak);
      yield* this.push(new Uint8Array());
    }
    if (this.#rest.length > 0) yield* this.#take(this.#rest.length);
  }

  #scanQuotes(at: number): void {
    const byte = this.#rest[at];
    if (byte === LINE_FEED && this.#firstBreak === -1) this.#firstBreak = at;
    const opens = at === 0 || this.#hasClosed || CELL_SEPARATORS.has(this.#rest[at - 1]);
    this.#hasClosed = byte === QUOTE && this.#isQuoted;
    if (byte === QUOTE) this.#isQuoted = !this.#isQuoted && opens;
  }

  /** Ends the current record at a position: a line break, or the end of the file. */
  *#take(at: number): Generator<string, void, undefined> {
    const text = this.#rest.subarray(0, at).toString('utf8').replace(/\r$/, '');
    this.#drop(Math.min(at + 1, this.#rest.length));
    if (text.trim() !== '' && !this.#isTooLong) yield text;
    this.#isTooLong = false;
  }

  #drop(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
    this.#scanned = 0;
    this.#isQuoted = false;
    this.#hasClosed = false;
    this.#firstBreak = -1;
  }
}
