import { Text } from 'ink';
import { memo, useContext } from 'react';
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import { ascii } from '../draw/ascii.ts';
import { clip } from '../draw/layout.ts';
import type { StyledLine } from '../draw/line.ts';
import type { TerminalStyle } from '../terminal.ts';
import { TerminalStyleContext } from './TerminalStyle.ts';

interface Props {
  readonly line: StyledLine;
  readonly columns: number;
}

/** One line of the screen. The line under the cursor is drawn in reverse over the full width. */
export const Line = memo(({ line: { segments, cursor }, columns }: Props) => {
  const terminal = useContext(TerminalStyleContext);
  const cut = clip(segments, columns);
  const width = widthOf(cut);
  const space = cursor && !terminal.plain ? columns - width : 0;
  return (
    <Text wrap="truncate" inverse={cursor === true && !terminal.plain}>
      {width === 0 && space === 0 ? ' ' : null}
      {cut.map((segment, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: segments have no identity besides their place
        <Piece key={at} segment={segment} terminal={terminal} cursor={cursor === true} />
      ))}
      {space > 0 ? ' '.repeat(space) : null}
    </Text>
  );
}, isSameLine);

function Piece(props: { readonly segment: Segment; readonly terminal: TerminalStyle; readonly cursor: boolean }) {
  const { text, style, greys } = props.segment;
  const { colour, plain } = props.terminal;
  const shown = props.terminal.ascii ? ascii(text) : text;
  if (greys !== undefined && colour) {
    const [front, back] = greys;
    return (
      <Text color={`ansi256(${FIRST_GREY + front})`} backgroundColor={`ansi256(${FIRST_GREY + back})`}>
        {shown}
      </Text>
    );
  }
  if (props.cursor || plain || style === undefined) return shown;
  if (style === 'bold') return <Text bold>{shown}</Text>;
  if (style === 'dim') return <Text dimColor>{shown}</Text>;
  return colour ? <Text color={style}>{shown}</Text> : shown;
}

const FIRST_GREY = 232;

function isSameLine(before: Props, after: Props): boolean {
  const [a, b] = [before.line, after.line];
  if (before.columns !== after.columns || a.cursor !== b.cursor) return false;
  if (a === b || a.segments === b.segments) return true;
  if (a.segments.length !== b.segments.length) return false;
  return a.segments.every(({ text, style, greys }, at) => {
    const other = b.segments[at];
    return (
      text === other?.text &&
      style === other.style &&
      greys?.[0] === other.greys?.[0] &&
      greys?.[1] === other.greys?.[1]
    );
  });
}
