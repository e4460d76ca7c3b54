/** Writes results to stdout, and messages to stderr. */
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

/** Text is buffered until it has at least this many characters, and is then written in one call. */
const CHARACTERS_PER_WRITE = 64 * 1024;

/**
 * Prints an indented JSON object that contains a list, in the format of `printJson`. Only a part of the list is in
 * memory at a time.
 * @param before the fields before the list
 * @param after the fields after the list
 */
export async function printJsonWithList<Item>(
  before: object,
  name: string,
  items: AsyncIterable<Item>,
  jsonOf: (item: Item) => object,
  after: object,
): Promise<void> {
  const indented = (value: unknown, by: string) => jsonSafe(JSON.stringify(value, null, 2)).replaceAll('\n', `\n${by}`);
  const opening = JSON.stringify({ ...before, [name]: [] }, null, 2);
  let text = jsonSafe(opening.slice(0, opening.lastIndexOf(']')));
  let count = 0;
  for await (const item of items) {
    text += `${count === 0 ? '' : ','}\n    ${indented(jsonOf(item), '    ')}`;
    count += 1;
    if (text.length < CHARACTERS_PER_WRITE) continue;
    await print(text);
    text = '';
  }
  const fields = Object.entries(after).map(([key, value]) => `,\n  ${JSON.stringify(key)}: ${indented(value, '  ')}`);
  await print(`${text}${count === 0 ? '' : '\n  '}]${fields.join('')}\n}\n`);
}

let held: { readonly show: (text: string) => void; readonly notes: string[] } | undefined;

/** Prints a message to stderr. While `holdNotes` holds messages back, prints the message only after the hold. */
export function note(text: string): void {
  if (held === undefined) {
    process.stderr.write(`trawl: ${visibleLines(text)}\n`);
    return;
  }
  held.notes.push(text);
  held.show(text);
}

/**
 * Holds messages back while a dashboard draws on the terminal.
 * @param show called with each message
 * @returns a function that prints the messages and ends the hold
 */
export function holdNotes(show: (text: string) => void): () => void {
  const hold = { show, notes: [] as string[] };
  held = hold;
  return () => {
    if (held !== hold) return;
    held = undefined;
    hold.notes.forEach(note);
  };
}

/**
 * DEL, C1 controls, line separators, and invisible or bidirectional characters. JSON does not escape these characters,
 * but terminals can interpret them.
 */
const UNSAFE = /[\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Escapes terminal control characters in JSON text without changing its meaning. */
export function jsonSafe(json: string): string {
  return json.replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
