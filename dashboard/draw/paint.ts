/** Draws styled lines as text with the escape sequences that the terminal supports. */
import { styleText } from 'node:util';
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import { columnsOf } from '../../lib/text/width.ts';
import { clip } from './layout.ts';
import type { StyledLine } from './line.ts';

/** The features that the terminal supports and the user selected. */
export interface TerminalStyle {
  /** Bold, dim and reverse do not count as colours. */
  readonly colour: boolean;
  /** Whether only ASCII characters are used. */
  readonly ascii: boolean;
  /** Whether the text contains no escape sequences, for a file or a pipe. */
  readonly plain?: boolean;
}

const FIRST_GREY = 232;

/** Returns the line with escape sequences, cut to `width` columns. */
export function paintStyledLine({ segments, cursor }: StyledLine, width: number, terminal: TerminalStyle): string {
  const cut = clip(segments, width);
  const text = cut.map((segment) => paint(segment, terminal, cursor ?? false)).join('');
  return cursor && !terminal.plain ? text + reverse(' '.repeat(width - widthOf(cut))) : text;
}

function paint({ text, style, greys }: Segment, terminal: TerminalStyle, cursor: boolean): string {
  const shown = terminal.ascii ? ascii(text) : text;
  if (shown === '' || terminal.plain) return shown;
  if (greys !== undefined && terminal.colour) {
    const [front, back] = greys;
    return `\u001b[38;5;${FIRST_GREY + front};48;5;${FIRST_GREY + back}m${shown}\u001b[39;49m`;
  }
  if (cursor) return reverse(shown);
  if (style === undefined || (!terminal.colour && style !== 'bold' && style !== 'dim')) return shown;
  return styleText(style, shown, { validateStream: false });
}

const reverse = (text: string): string => (text === '' ? '' : styleText('inverse', text, { validateStream: false }));

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
