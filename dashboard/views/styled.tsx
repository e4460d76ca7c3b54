import { Text } from 'ink';
import { createContext, type ReactNode, useContext } from 'react';
import type { Style } from '../draw/style.ts';
import type { Segment } from '../draw/table.ts';

/** Whether the terminal and the user want colours. Bold and dim are not colours. */
export const ColourContext = createContext(true);

/** Text in one of the dashboard's styles, cut at the right edge. */
export function Styled({ style, children }: { readonly style?: Style | undefined; readonly children: ReactNode }) {
  const colour = useContext(ColourContext);
  const isColour = style !== undefined && style !== 'bold' && style !== 'dim';
  return (
    <Text
      wrap="truncate-end"
      bold={style === 'bold'}
      dimColor={style === 'dim'}
      {...(colour && isColour ? { color: style } : {})}
    >
      {children}
    </Text>
  );
}

/** One line of a table. */
export function Line({ segments }: { readonly segments: readonly Segment[] }) {
  return (
    <Text wrap="truncate-end">
      {segments.map((segment, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a table's columns have no other name, and keep their order
        <Styled key={i} style={segment.style}>
          {segment.text}
        </Styled>
      ))}
    </Text>
  );
}
