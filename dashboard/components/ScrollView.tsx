import { Box, type DOMElement, measureElement } from 'ink';
import { type ReactNode, useContext, useLayoutEffect, useRef, useState } from 'react';
import { Label } from './Line.tsx';
import { ScreenContext } from './ScreenContext.ts';

interface Props {
  /** The number of hidden lines above the first visible line. */
  readonly offset: number;
  readonly columns: number;
  readonly lines: number;
  readonly children: ReactNode;
}

/** Scrollable content that may be taller than its box. The last line shows the number of hidden lines below. */
export function ScrollView({ offset, columns, lines, children }: Props) {
  const { onContentLines } = useContext(ScreenContext);
  const content = useRef<DOMElement>(null);
  const [height, setHeight] = useState(0);
  useLayoutEffect(() => {
    if (content.current === null) return;
    const measured = measureElement(content.current).height;
    setHeight(measured);
    onContentLines(measured);
  });
  const above = Math.min(offset, Math.max(0, height - lines));
  const below = height - above - lines;
  const shown = below > 0 ? lines - 1 : lines;
  return (
    <Box flexDirection="column" height={lines} flexShrink={0}>
      <Box flexDirection="column" height={shown} flexShrink={0} overflowY="hidden">
        <Box ref={content} flexDirection="column" width={columns} marginTop={-above} flexShrink={0}>
          {children}
        </Box>
      </Box>
      {below > 0 ? <Label text={`... ${below + 1} more lines (j)`} columns={columns} style="dim" /> : null}
    </Box>
  );
}
