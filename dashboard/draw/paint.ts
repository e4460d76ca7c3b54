import { styleText } from 'node:util';
import { type Segment, type StyledLine, widthOf } from '../../lib/text/segment.ts';
import { columnsOf } from '../../lib/text/width.ts';
import { clip } from './layout.ts';

/** What the terminal, and the user, want of it. */
export interface TerminalStyle {
  /** Bold, dim and reverse are no colours. */
  readonly colour: boolean;
  /** Nothing but ASCII. */
  readonly ascii: boolean;
  /** Nothing but text, for a file or a pipe. */
  readonly plain?: boolean;
}

const FIRST_GREY = 232;

/** The line as the terminal gets it, at most `width` columns of it. */
export function paintLine({ segments, cursor }: StyledLine, width: number, look: TerminalStyle): string {
  const cut = clip(segments, width);
  const text = cut.map((segment) => paint(segment, look, cursor ?? false)).join('');
  return cursor && !look.plain ? text + reverse(' '.repeat(width - widthOf(cut))) : text;
}

function paint(
  { text, style, greys }: Segment,
  { colour, ascii: only, plain }: TerminalStyle,
  cursor: boolean,
): string {
  const shown = only ? ascii(text) : text;
  if (shown === '' || plain) return shown;
  if (greys !== undefined && colour) {
    const [front, back] = greys;
    return `\u001b[38;5;${FIRST_GREY + front};48;5;${FIRST_GREY + back}m${shown}\u001b[39;49m`;
  }
  // Under the cursor colours would only cost contrast.
  if (cursor) return reverse(shown);
  if (style === undefined || (!colour && style !== 'bold' && style !== 'dim')) return shown;
  return styleText(style, shown, { validateStream: false });
}

const reverse = (text: string): string => (text === '' ? '' : styleText('inverse', text, { validateStream: false }));

/** For terminals that show nothing but ASCII: every character of the dashboard by one that is as wide. */

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
