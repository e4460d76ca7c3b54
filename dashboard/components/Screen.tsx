import { Box } from 'ink';
import type { Model } from '../state/model.ts';
import { frameOf } from '../views/frame.ts';
import { Line } from './Line.tsx';
import { TerminalStyleContext } from './TerminalStyle.ts';

interface Props {
  readonly model: Model;
  /** Whether the cursor and the key hints are shown. */
  readonly interactive?: boolean;
}

/** The whole screen: header, current view, footer. */
export function Screen({ model, interactive = true }: Props) {
  const { columns, rows } = model.size;
  const lines = frameOf(model, model.size);
  const shown = interactive ? lines : lines.slice(0, -1).map((line) => ({ ...line, cursor: false }));
  return (
    <TerminalStyleContext value={model.style}>
      <Box flexDirection="column" width={columns} height={rows} flexShrink={0}>
        {shown.map((line, row) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line's place is its identity
          <Line key={row} line={line} columns={columns} />
        ))}
      </Box>
    </TerminalStyleContext>
  );
}
