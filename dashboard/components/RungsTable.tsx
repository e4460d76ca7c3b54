import { Box } from 'ink';
import { formatMetric, formatStep } from '../../lib/text/numbers.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Rung } from '../../proto/gen/trawl/v1/types.ts';
import { Label } from './Line.tsx';

/** Only this many of the newest rungs are listed, because the median rule has a rung at every step. */
const MAX_RUNGS = 4;

/** The newest early-stopping rungs that a trial has reached, each with the reason for the rule's decision. */
export function RungsTable({ rungs, columns }: { readonly rungs: readonly Rung[]; readonly columns: number }) {
  if (rungs.length === 0) return null;
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label text="rungs" columns={columns} style="bold" />
      {rungs.slice(-MAX_RUNGS).map(({ rung, value, reason }) => (
        <Label
          key={rung}
          text={visibleText(`${formatStep(rung)}  ${formatMetric(value)}${reason === '' ? '' : `  ${reason}`}`)}
          columns={columns}
        />
      ))}
    </Box>
  );
}
