import stringWidth from 'string-width';

/** Characters of one column each that make up nearly all text: a fast path. */
const PLAIN = /^[ -~·±×…─-╿▀-▟▲▼▸▾★●→←↑↓⠀-⣿]*$/;

/** Returns the width of a text in terminal columns. */
export function columnsOf(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}
