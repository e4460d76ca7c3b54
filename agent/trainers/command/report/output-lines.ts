/**
 * Splits a program's output into lines, in bounded memory. A line feed ends a line. A carriage return ends one state of
 * a progress line, and the text that follows overwrites this state.
 */
import { stripVTControlCharacters } from 'node:util';

/** The maximum length of a report's line, in characters. A longer line is yielded in parts, which are never reports. */
export const MAX_LINE = 256 * 1024;

export interface OutputLine {
  /** The line as printed, without its line end. */
  readonly text: string;
  /** Whether the text is a complete line. The value is false for a part of a line that is longer than MAX_LINE. */
  readonly whole: boolean;
  /**
   * How the text ends: `line` with a line feed, `progress` with a carriage return, and `none` with neither, because the
   * line is too long or the output ended.
   */
  readonly end: 'line' | 'progress' | 'none';
  /** Whether a carriage return precedes this text on the same line. */
  readonly overwrites: boolean;
}

export class OutputLines {
  #rest = '';
  /** Whether `#rest` continues a line whose beginning was already yielded. */
  #inside = false;
  #overwrites = false;

  *push(text: string): Generator<OutputLine, void, undefined> {
    this.#rest += text;
    let from = 0;
    for (;;) {
      const at = indexOfEnd(this.#rest, from);
      // A carriage return at the end of the text may be the first half of CRLF.
      if (at === -1 || (this.#rest[at] === '\r' && at === this.#rest.length - 1)) break;
      const progress = this.#rest[at] === '\r' && this.#rest[at + 1] !== '\n';
      const line = this.#rest.slice(from, at);
      from = at + (this.#rest[at] === '\r' && !progress ? 2 : 1);
      yield { text: line, whole: !this.#inside, end: progress ? 'progress' : 'line', overwrites: this.#overwrites };
      this.#inside = false;
      this.#overwrites = progress;
    }
    this.#rest = this.#rest.slice(from);
    if (this.#rest.length <= MAX_LINE) return;
    yield { text: this.#rest, whole: false, end: 'none', overwrites: this.#overwrites };
    this.#rest = '';
    this.#inside = true;
  }

  /** Yields the text after the last line end. */
  *end(): Generator<OutputLine, void, undefined> {
    const text = this.#rest.endsWith('\r') ? this.#rest.slice(0, -1) : this.#rest;
    this.#rest = '';
    if (text !== '') yield { text, whole: !this.#inside, end: 'none', overwrites: this.#overwrites };
  }
}

function indexOfEnd(text: string, from: number): number {
  const feed = text.indexOf('\n', from);
  // The search for a carriage return ends at the line feed. Without this limit, each line would require a search of the
  // whole remaining text.
  const carriage = text.slice(from, feed === -1 ? undefined : feed).indexOf('\r');
  return carriage === -1 ? feed : from + carriage;
}

/** Matches DEL, and the C0 and C1 control characters except tab and line feed. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Removes colors and other control sequences, and all control characters except tab and line feed. */
export function withoutControl(text: string): string {
  // Most lines have no control characters, and a search for control sequences is slower than this search.
  return text.search(CONTROL) === -1 ? text : stripVTControlCharacters(text).replace(CONTROL, '');
}

/**
 * Converts output lines to log text: without control sequences, and with only the last state of a progress line. The
 * method `text` returns the text to append to the log. The text is empty for a state that a later state can overwrite.
 */
export class LogTextFormatter {
  /** The newest state of the current progress line. */
  #state = '';

  /** @param isReport whether the line was a report; a report is neither log text nor a state of a progress line */
  text({ text, end, overwrites }: Pick<OutputLine, 'text' | 'end' | 'overwrites'>, isReport = false): string {
    const clean = isReport ? '' : withoutControl(text);
    if (end === 'progress') {
      if (clean.trim() !== '') this.#state = clean;
      return '';
    }
    const shown = clean.trim() === '' && this.#state !== '' ? this.#state : clean;
    const replaced = overwrites || this.#state !== '';
    this.#state = '';
    if (end === 'none') return shown;
    return shown === '' && (isReport || replaced) ? '' : `${shown}\n`;
  }

  /**
   * Must be called when the output has ended. Returns the last state of a progress line that is still unfinished. If
   * there is no such line, returns an empty text.
   */
  end(): string {
    const state = this.#state;
    this.#state = '';
    return state === '' ? '' : `${state}\n`;
  }
}
