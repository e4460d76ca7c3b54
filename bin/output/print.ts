import { visibleLines } from '../../lib/text/visible-text.ts';

/** stdout carries the result and nothing else; everything said about it goes to stderr. */

/** Writes to stdout, at the pace at which it is read. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** One JSON value, indented, and a line break. */
export function printJson(value: unknown): Promise<void> {
  return print(`${jsonSafe(JSON.stringify(value, null, 2))}\n`);
}

/** A line for the person at the terminal. */
export function note(text: string): void {
  process.stderr.write(`trawl: ${visibleLines(text)}\n`);
}

/** What JSON leaves as it is, and a terminal or a reader's eye may obey: C1 controls, and characters that reorder text. */
const UNSAFE = /[\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** JSON text that means the same, with nothing in it that a terminal acts on. */
export function jsonSafe(json: string): string {
  return json.replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
