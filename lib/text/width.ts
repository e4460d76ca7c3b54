/**
 * Measures, cuts and pads text in terminal columns. Does not use cli-truncate, because version 5.2.0 miscounts joined
 * emoji: it cuts "🇩🇪👩‍👩‍👧a" to five columns where four are allowed. width.test.ts tests the limit.
 */
import stringWidth from 'string-width';

/**
 * Nearly all text consists of only these characters. Each of them is one column wide, so the width of such text is its
 * length.
 */
const PLAIN = /^[ -~·±×…─-╿▀-▟▲▼▸▾★●→←↑↓⠀-⣿]*$/;

/** Returns the width of a text in terminal columns. */
export function columnsOf(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

/** The part of a text that is left out when the text is too long. */
export type OmittedPart = 'end' | 'middle' | 'start';

const ELLIPSIS = '…';
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/**
 * Cuts a text to at most `width` terminal columns, and replaces the omitted part by an ellipsis. By default, the end is
 * omitted. Graphemes are never split, so the result can be a few columns narrower than `width`.
 */
export function truncate(text: string, width: number, omitted: OmittedPart = 'end'): string {
  if (columnsOf(text) <= width) return text;
  if (width <= 0) return '';
  const parts = Array.from(graphemes.segment(text), ({ segment }) => segment);
  const room = width - 1;
  const head = omitted === 'start' ? 0 : omitted === 'end' ? room : Math.ceil(room / 2);
  return fitting(parts, head) + ELLIPSIS + fitting(parts.reverse(), room - head, true);
}

/**
 * Joins as many of the first parts as fit into `width` columns. @param reversed true if the parts are in reverse order
 */
function fitting(parts: readonly string[], width: number, reversed = false): string {
  let text = '';
  let left = width;
  for (const part of parts) {
    left -= columnsOf(part);
    if (left < 0) break;
    text = reversed ? part + text : text + part;
  }
  return text;
}

/** Pads a text with spaces to `width` terminal columns, on the given side. */
export function pad(text: string, width: number, side: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - columnsOf(text)));
  return side === 'left' ? space + text : text + space;
}
