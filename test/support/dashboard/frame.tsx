import { Box, Text } from 'ink';
import { type Look, paintLine } from '../../../dashboard/draw/paint.ts';
import type { Size } from '../../../dashboard/views/frame.ts';
import type { Line } from '../../../lib/text/segment.ts';

interface Props {
  readonly lines: readonly Line[];
  readonly size: Size;
  readonly look: Look;
}

/** A frame as Ink lays it out and measures it, which is not how the dashboard itself does: a second opinion. */
export function Frame({ lines, size, look }: Props) {
  const text = lines.map((line) => paintLine(line, size.columns, look) || ' ').join('\n');
  return (
    <Box width={size.columns} flexShrink={0}>
      <Text>{text}</Text>
    </Box>
  );
}
