import { styleText } from 'node:util';
import { type Segment, type StyledLine, widthOf } from '../../lib/text/segment.ts';
import { ascii } from './ascii.ts';
import { clip } from './clip.ts';

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
