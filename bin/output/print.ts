/** stdout carries the result and nothing else; everything said about it goes to stderr. */
import { visibleLines } from '../../lib/text/visible-text.ts';
import { jsonSafe } from './json-safe.ts';

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
