/** Cuts text that arrives in pieces into lines, within bounded memory. */

/** Characters of a line that can be a report. What is longer is passed on in parts, as text. */
export const MAX_LINE = 256 * 1024;

export interface Line {
  /** Without its end. */
  readonly text: string;
  /** False: a part of a line that is longer than MAX_LINE. */
  readonly whole: boolean;
  /** False: the line goes on, or the output ended without a line end. */
  readonly ended: boolean;
}

export class LineCutter {
  #rest = '';
  /** Whether `#rest` goes on a line whose beginning was passed on. */
  #inside = false;

  *push(text: string): Generator<Line, void, undefined> {
    this.#rest += text;
    let from = 0;
    for (let end = this.#rest.indexOf('\n'); end !== -1; end = this.#rest.indexOf('\n', from)) {
      const line = this.#rest.slice(from, end);
      from = end + 1;
      yield { text: line.endsWith('\r') ? line.slice(0, -1) : line, whole: !this.#inside, ended: true };
      this.#inside = false;
    }
    this.#rest = this.#rest.slice(from);
    if (this.#rest.length <= MAX_LINE) return;
    yield { text: this.#rest, whole: false, ended: false };
    this.#rest = '';
    this.#inside = true;
  }

  /** What came after the last line end. */
  *end(): Generator<Line, void, undefined> {
    if (this.#rest !== '') yield { text: this.#rest, whole: !this.#inside, ended: false };
    this.#rest = '';
  }
}
