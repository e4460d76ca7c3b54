/** Writes results to stdout, and everything else to stderr. */
import { visibleLines } from '../../lib/text/visible-text.ts';

/** Writes to stdout, and waits until the text has been written. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** Prints an indented JSON value. */
export function printJson(value: unknown): Promise<void> {
  return print(`${jsonSafe(JSON.stringify(value, null, 2))}\n`);
}

/** Prints a message to stderr. */
export function note(text: string): void {
  process.stderr.write(`trawl: ${visibleLines(text)}\n`);
}

/** C1 and bidirectional controls. JSON does not escape them, but terminals interpret them. */
const UNSAFE = /[\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Escapes terminal control characters in JSON text without changing its meaning. */
export function jsonSafe(json: string): string {
  return json.replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
