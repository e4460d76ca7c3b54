/** ASCII replacements of the characters that the dashboard draws with. */
import { columnsOf } from '../../lib/text/width.ts';

const BRAILLE = 0x2800;
const UPPER_DOTS = 0b0001_1011;

const ASCII_OF: Readonly<Record<string, string>> = {
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

/** Replaces every character by ASCII of the same width. */
export function ascii(text: string): string {
  if (/^[ -~]*$/.test(text)) return text;
  let result = '';
  for (const { segment } of graphemes.segment(text)) {
    const code = segment.codePointAt(0) ?? 0;
    if (code < 0x7f && segment.length === 1) result += segment;
    else if (code >= BRAILLE && code < BRAILLE + 256) result += dots(code - BRAILLE);
    else result += ASCII_OF[segment] ?? '?'.repeat(columnsOf(segment));
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
