/**
 * ASCII replacements for terminals that show only ASCII. A replacement can differ in width from the original, so text
 * is replaced before its width is measured.
 */
import { columnsOf } from './width.ts';

const BRAILLE = 0x2800;
const UPPER_DOTS = 0b0001_1011;

const ASCII_OF: Readonly<Record<string, string>> = {
  '±': '+/-',
  '°': 'deg',
  '…': '~',
  '·': '-',
  '–': '-',
  '—': '-',
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  µ: 'u',
  μ: 'u',
  ß: 'ss',
  æ: 'ae',
  Æ: 'AE',
  ø: 'o',
  Ø: 'O',
  ł: 'l',
  Ł: 'L',
  '≤': '<=',
  '≥': '>=',
  '≈': '~',
  '∞': 'inf',
  '▲': '^',
  '▼': 'v',
  '▸': '>',
  '▾': 'v',
  '●': '*',
  '○': 'o',
  '★': '*',
  '→': '>',
  '←': '<',
  '↑': '^',
  '↓': 'v',
  '×': 'x',
  '│': '|',
  '─': '-',
  '━': '=',
  '├': '+',
  '└': '+',
  '┤': '+',
  '┬': '+',
  '┼': '+',
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
const COMBINING_MARKS = /\p{M}/gu;
const PLAIN = /^[ -~]*$/;

/**
 * Replaces all non-ASCII characters. An accented letter loses its accents. A character without a replacement becomes
 * `?`, or `??` if the character is wide.
 */
export function asciiText(text: string): string {
  if (PLAIN.test(text)) return text;
  let result = '';
  for (const { segment } of graphemes.segment(text.replaceAll('°C', 'C'))) result += replacement(segment);
  return result;
}

function replacement(grapheme: string): string {
  const code = grapheme.codePointAt(0) ?? 0;
  if (code < 0x7f && grapheme.length === 1) return grapheme;
  if (code >= BRAILLE && code < BRAILLE + 256) return dots(code - BRAILLE);
  const known = ASCII_OF[grapheme];
  if (known !== undefined) return known;
  const bare = grapheme.normalize('NFKD').replace(COMBINING_MARKS, '');
  return bare !== '' && PLAIN.test(bare) ? bare : '?'.repeat(columnsOf(grapheme));
}

function dots(pattern: number): string {
  if (pattern === 0) return ' ';
  const upper = (pattern & UPPER_DOTS) !== 0;
  const lower = (pattern & ~UPPER_DOTS & 0xff) !== 0;
  if (upper && lower) return ':';
  return upper ? "'" : '.';
}
