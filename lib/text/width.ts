/**
 * Measures, cuts and pads text in terminal columns. Does not use cli-truncate, because version 5.2.0 miscounts joined
 * emoji: it cuts "🇩🇪👩‍👩‍👧a" to five columns where four are allowed. width.test.ts states the property.
 */
import stringWidth from 'string-width';

/** A fast path: nearly all text consists of these characters, each of which has one column. */
const PLAIN = /^[ -~·±×…─-╿▀-▟▲▼▸▾★●→←↑↓⠀-⣿]*$/;

/** Returns the width of a text in terminal columns. */
export function columnsOf(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

const ELLIPSIS = '…';
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/**
 * Cuts a text to at most `width` terminal columns and appends an ellipsis if anything was cut. Never splits a grapheme,
 * so the result can be one column shorter.
 */
export function truncate(text: string, width: number): string {
  if (columnsOf(text) <= width) return text;
  if (width <= 0) return '';
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const w = columnsOf(segment);
    if (used + w > width - 1) break;
    kept += segment;
    used += w;
  }
  return kept + ELLIPSIS;
}

/** Pads a text with spaces to `width` terminal columns, on the given side. */
export function pad(text: string, width: number, side: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - columnsOf(text)));
  return side === 'left' ? space + text : text + space;
}
