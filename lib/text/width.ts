import stringWidth from 'string-width';

/** What nearly all of the dashboard's text is made of, each one column wide. */
const PLAIN = /^[ -~·±×…─-╿▀-▟▲▼▸▾★●→←↑↓⠀-⣿]*$/;

/** Terminal columns of a text. */
export function columnsOf(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}
