/** For terminals that show nothing but ASCII: every character of the dashboard by one that is as wide. */
import { columnsOf } from '../../lib/text/width.ts';

const BRAILLE = 0x2800;
/** Of a braille cell, the dots of its upper two rows. */
const UPPER_DOTS = 0b0001_1011;

const TABLE: Readonly<Record<string, string>> = {
  '…': '~',
  '·': '-',
  '±': '~',
  '▲': '^',
  '▼': 'v',
  '▸': '>',
  '▾': 'v',
  '●': '*',
  '★': '*',
  '→': '>',
  '←': '<',
  '↑': '^',
  '↓': 'v',
  '×': 'x',
  '│': '|',
  '─': '-',
  '└': '+',
  '┤': '+',
  '┬': '+',
  '█': '#',
  '▓': '#',
  '▒': '+',
  '░': '.',
  '▀': '"',
  '▁': '_',
  '▂': '.',
  '▃': '-',
  '▄': '=',
  '▅': '+',
  '▆': '*',
  '▇': '#',
};

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** The text in ASCII, column for column. */
export function ascii(text: string): string {
  // Most text is ASCII already.
  if (/^[ -~]*$/.test(text)) return text;
  let result = '';
  for (const { segment } of graphemes.segment(text)) {
    const code = segment.codePointAt(0) ?? 0;
    if (code < 0x7f && segment.length === 1) result += segment;
    else if (code >= BRAILLE && code < BRAILLE + 256) result += dots(code - BRAILLE);
    else result += TABLE[segment] ?? '?'.repeat(columnsOf(segment));
  }
  return result;
}

function dots(pattern: number): string {
  if (pattern === 0) return ' ';
  const upper = (pattern & UPPER_DOTS) !== 0;
  const lower = (pattern & ~UPPER_DOTS & 0xff) !== 0;
  if (upper && lower) return ':';
  return upper ? "'" : '.';
}
