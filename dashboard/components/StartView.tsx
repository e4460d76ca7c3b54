import { Box } from 'ink';
import { Label } from './Line.tsx';

interface Props {
  /** Lines above the steps. */
  readonly heading: readonly string[];
  /** The steps so far. The last step is in progress. */
  readonly steps: readonly string[];
  readonly columns: number;
  readonly lines: number;
}

/** A long heading is cut, so that this many steps fit below it. */
const LEAST_STEPS = 5;

/** Shows the steps that the command has taken since its start, until the dashboard receives the sweep. */
export function StartView({ heading, steps, columns, lines }: Props) {
  const above = heading.slice(0, Math.max(0, lines - LEAST_STEPS - 1));
  const room = above.length === 0 ? lines : lines - above.length - 1;
  const shown = steps.slice(-Math.max(1, room));
  return (
    <Box flexDirection="column" flexShrink={0}>
      {above.length === 0 ? null : (
        <Box flexDirection="column" paddingBottom={1} flexShrink={0}>
          {above.map((line, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
            <Label key={i} text={line} columns={columns} />
          ))}
        </Box>
      )}
      {shown.map((step, i) => {
        const isLast = i === shown.length - 1;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a step has no key other than its index
          <Label key={i} text={isLast ? `${step}...` : step} columns={columns} style={isLast ? 'bold' : 'dim'} />
        );
      })}
    </Box>
  );
}
