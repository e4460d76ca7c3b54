/** What JSON leaves as it is, and a terminal or a reader's eye may obey: C1 controls, and characters that reorder text. */
const UNSAFE = /[\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** JSON text that means the same, with nothing in it that a terminal acts on. */
export function jsonSafe(json: string): string {
  return json.replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
