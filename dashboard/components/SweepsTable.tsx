import { Box } from 'ink';
import { timeLeftRange } from '../../lib/domain/eta.ts';
import { hasNoEstimate, NO_ESTIMATE_TEXT, sweepProgress } from '../../lib/domain/progress.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { sweepStyle } from '../../lib/text/style.ts';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import type { Column } from '../../lib/text/table.ts';
import { progressText } from '../../lib/text/trials-to-come.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { listColumns, listLines } from '../state/layout.ts';
import type { Model } from '../state/model.ts';
import { sweepRows, sweepUnderCursor } from '../state/selectors.ts';
import { ListTable } from './ListTable.tsx';
import { SweepPreview } from './SweepPreview.tsx';

const BAR = 8;

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/** At this width or above, the list also shows the progress as a bar, and shows the time left as an interval. */
const WIDE = 120;
const PREVIEW_GAP = 2;

/** Every sweep of the coordinator, newest first, with a preview of the sweep under the cursor. */
export function SweepsTable({ model, columns, lines }: Props) {
  const listWidth = listColumns(model);
  const beside = columns - listWidth;
  const isWide = listWidth >= WIDE;
  const timeLeft: Column<Sweep> = {
    header: 'time left',
    cell: (sweep) => {
      const left = sweep.id === model.state.sweep?.id ? model.summary.eta.sweep : sweep.timeLeft;
      if (left === undefined) return isWide && hasNoEstimate(sweep) ? NO_ESTIMATE_TEXT : '-';
      return isWide ? timeLeftRange(left) : `~${formatSpan(left.expectedMs)}`;
    },
  };
  const table: Column<Sweep>[] = [
    { header: 'sweep', cell: ({ id }) => `${id === model.state.sweep?.id ? '▸' : ' '}${id}` },
    { header: 'name', elide: 'middle', minWidth: 12, cell: ({ name }) => name },
    {
      header: 'state',
      required: true,
      minWidth: 28,
      cell: (sweep) => sweepStateText(sweep, model.now),
      style: ({ state }) => sweepStyle(sweepState.of(state)),
    },
    ...(isWide ? [{ header: 'progress', neverCut: true, cell: bar }] : []),
    { header: 'finished', numeric: true, cell: progressText },
    ...(isWide ? [] : [timeLeft]),
    { header: 'running', numeric: true, cell: ({ counts }) => String(counts?.running ?? 0) },
    { header: 'failed', numeric: true, cell: ({ counts }) => String(counts?.failed ?? 0) },
    {
      header: 'time',
      numeric: true,
      cell: ({ createdAtMs, endedAtMs }) => formatSpan((endedAtMs || model.now) - createdAtMs),
    },
    ...(isWide ? [timeLeft] : []),
    { header: 'priority', numeric: true, cell: ({ priority, weight }) => `${priority} ×${weight}` },
    { header: 'metric', cell: ({ metric }) => metric?.name ?? '-' },
    { header: 'trainer', cell: ({ trainer }) => trainer },
    { header: 'reason', cell: ({ reason }) => reason },
  ];
  const listed = Math.min(lines, listLines(model));
  const chosen = sweepUnderCursor(model);
  return (
    <Box flexDirection={beside === 0 ? 'column' : 'row'} height={lines}>
      <Box flexDirection="column" width={listWidth} height={listed} flexShrink={0}>
        <ListTable
          model={model}
          view="sweeps"
          table={table}
          rows={sweepRows(model)}
          id={({ id }) => id}
          empty="no sweeps yet"
          columns={listWidth}
          lines={listed}
        />
      </Box>
      {chosen === undefined || beside > 0 || lines === listed ? null : (
        <SweepPreview model={model} sweep={chosen} columns={columns} lines={lines - listed} />
      )}
      {chosen === undefined || beside === 0 ? null : (
        <Box paddingLeft={PREVIEW_GAP} flexShrink={0}>
          <SweepPreview model={model} sweep={chosen} columns={beside - PREVIEW_GAP} lines={lines} />
        </Box>
      )}
    </Box>
  );
}

function bar(sweep: Sweep): string {
  const cells = Math.floor(sweepProgress(sweep).share * BAR);
  return '█'.repeat(cells) + '░'.repeat(BAR - cells);
}
