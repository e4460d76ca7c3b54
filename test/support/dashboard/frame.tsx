import { Box, Text } from 'ink';
import type { StyledLine } from '../../../dashboard/draw/line.ts';
import { paintStyledLine, type TerminalStyle } from '../../../dashboard/draw/paint.ts';
import type { Size } from '../../../dashboard/views/frame.ts';

interface Props {
  readonly lines: readonly StyledLine[];
  readonly size: Size;
  readonly style: TerminalStyle;
}

/** Lays out and measures a frame with Ink, to compare it with the dashboard's own layout. */
export function Frame({ lines, size, style }: Props) {
  const text = lines.map((line) => paintStyledLine(line, size.columns, style) || ' ').join('\n');
  return (
    <Box width={size.columns} flexShrink={0}>
      <Text>{text}</Text>
    </Box>
  );
}
