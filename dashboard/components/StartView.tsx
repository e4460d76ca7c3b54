import { Box } from 'ink';
import { Label } from './Line.tsx';

interface Props {
  /** The steps so far. The last one is in progress. */
  readonly steps: readonly string[];
  readonly columns: number;
  readonly lines: number;
}

/** What the dashboard waits for until the sweep is known. */
export function StartView({ steps, columns, lines }: Props) {
  const shown = steps.slice(-Math.max(1, lines));
  return (
    <Box flexDirection="column" flexShrink={0}>
      {shown.map((step, i) => {
        const isLast = i === shown.length - 1;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a step has no identity besides its place
          <Label key={i} text={isLast ? `${step}...` : step} columns={columns} style={isLast ? 'bold' : 'dim'} />
        );
      })}
    </Box>
  );
}
