import chalk from 'chalk';
import { Text, Transform } from 'ink';
import { memo, useContext } from 'react';
import { asciiText } from '../../lib/text/ascii.ts';
import { clip } from '../../lib/text/clip.ts';
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import type { Style } from '../../lib/text/style.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { TerminalStyle } from '../terminal.ts';
import { TerminalStyleContext } from './TerminalStyle.ts';

interface LineProps {
  readonly segments: readonly Segment[];
  /** The width to which the line is cut. */
  readonly columns: number;
  /** Whether the cursor is on the line. The line under the cursor is drawn in reverse video over the full width. */
  readonly cursor?: boolean;
}

/**
 * One line of styled pieces, cut to a width. Ink measures the text of every frame, which is slow if the text contains
 * escape sequences. Ink also caches every measured text forever. Therefore, Ink gets spaces of the same width, and a
 * transform replaces the spaces with the text.
 */
export const Line = memo(({ segments, columns, cursor = false }: LineProps) => {
  const terminal = useContext(TerminalStyleContext);
  const cut = clip(terminal.ascii ? segments.map(inAscii) : segments, columns);
  const reversed = cursor && !terminal.plain;
  const width = reversed ? columns : widthOf(cut);
  const line = reversed
    ? chalk.inverse(textOf(cut, terminal) + ' '.repeat(columns - widthOf(cut)))
    : runsOf(cut)
        .map((segment) => painted(segment, terminal))
        .join('');
  return <Transform transform={() => line}>{' '.repeat(Math.max(1, width))}</Transform>;
}, isSameLine);

/**
 * Joins adjacent pieces of the same style, so that the line has fewer escape sequences. This saves time, because Ink
 * splits the text and the escape sequences into characters in each frame. A space takes the style of the text before
 * it, because a space without a background looks the same in every style. Spaces at the end are omitted, because the
 * cells of the line are already empty.
 */
function runsOf(segments: readonly Segment[]): Segment[] {
  const runs: { -readonly [Key in keyof Segment]: Segment[Key] }[] = [];
  for (const segment of segments) {
    const last = runs.at(-1);
    const isBlank = !hasBackground(segment) && segment.text.trim() === '';
    const canJoin = last !== undefined && !hasBackground(segment) && !hasBackground(last);
    if (canJoin && (isBlank || last.style === segment.style)) last.text += segment.text;
    else runs.push(isBlank ? { text: segment.text } : { ...segment });
  }
  const last = runs.at(-1);
  if (last !== undefined && !hasBackground(last)) last.text = last.text.trimEnd();
  return runs;
}

const hasBackground = ({ style, grays }: Segment): boolean => grays !== undefined || style === 'inverse';

const inAscii = (segment: Segment): Segment => ({ ...segment, text: asciiText(segment.text) });

/** Joins the texts of cut pieces. On an ASCII terminal, converts the text again, because the cut added an ellipsis. */
const textOf = (segments: readonly Segment[], { ascii }: TerminalStyle): string => {
  const text = segments.map((segment) => segment.text).join('');
  return ascii ? asciiText(text) : text;
};

function painted({ text, style, grays }: Segment, { color, plain, ascii }: TerminalStyle): string {
  const shown = ascii ? asciiText(text) : text;
  if (plain || shown === '') return shown;
  if (grays !== undefined && color) {
    const [front, back] = grays;
    return chalk.ansi256(FIRST_GRAY + front).bgAnsi256(FIRST_GRAY + back)(shown);
  }
  if (style === undefined || (!color && !COLORLESS.has(style))) return shown;
  return chalk[style](shown);
}

const FIRST_GRAY = 232;

/** The text styles that work without colors. */
const COLORLESS: ReadonlySet<Style> = new Set(['bold', 'dim', 'inverse']);

interface LabelProps {
  readonly text: string;
  readonly columns: number;
  readonly style?: Style | undefined;
}

/** One line in one style. Control characters are shown instead of interpreted. */
export function Label({ text, columns, style }: LabelProps) {
  return <Line segments={[{ text: visibleText(text), style }]} columns={columns} />;
}

interface ParagraphProps {
  readonly text: string;
  readonly style?: Style | undefined;
}

/** Text that wraps at spaces within its box. Control characters are shown instead of interpreted. */
export function Paragraph({ text, style }: ParagraphProps) {
  const terminal = useContext(TerminalStyleContext);
  const shown = terminal.ascii ? asciiText(visibleText(text)) : visibleText(text);
  return (
    <Transform transform={(line) => painted({ text: line, style }, terminal)}>
      <Text wrap="wrap">{shown}</Text>
    </Transform>
  );
}

function isSameLine(a: LineProps, b: LineProps): boolean {
  if (a.columns !== b.columns || (a.cursor ?? false) !== (b.cursor ?? false)) return false;
  if (a.segments === b.segments) return true;
  if (a.segments.length !== b.segments.length) return false;
  return a.segments.every(({ text, style, grays }, at) => {
    const other = b.segments[at];
    return (
      text === other?.text &&
      style === other.style &&
      grays?.[0] === other.grays?.[0] &&
      grays?.[1] === other.grays?.[1]
    );
  });
}
