import { Box } from 'ink';
import { type TimeLeft, timeLeftRange } from '../../lib/domain/eta.ts';
import { progressText, sweepProgress } from '../../lib/domain/progress.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { sweepStyle } from '../../lib/text/style.ts';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import type { Column } from '../../lib/text/table.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { listLines } from '../state/layout.ts';
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

/** Every sweep of the coordinator, newest first. */
export function SweepsTable({ model, columns, lines }: Props) {
  const table: Column<Sweep>[] = [
    { header: 'sweep', cell: ({ id }) => `${id === model.state.sweep?.id ? '▸' : ' '}${id}` },
    { header: 'name', elide: 'middle', minWidth: 16, cell: ({ name }) => name },
    {
      header: 'state',
      required: true,
      minWidth: 18,
      cell: (sweep) => sweepStateText(sweep, model.now),
      style: ({ state }) => sweepStyle(sweepState.of(state)),
    },
    { header: 'progress', neverCut: true, cell: bar },
    { header: 'finished', numeric: true, cell: progressText },
    { header: 'running', numeric: true, cell: ({ counts }) => String(counts?.running ?? 0) },
    { header: 'failed', numeric: true, cell: ({ counts }) => String(counts?.failed ?? 0) },
    {
      header: 'time',
      numeric: true,
      cell: ({ createdAtMs, endedAtMs }) => formatSpan((endedAtMs || model.now) - createdAtMs),
    },
    {
      header: 'time left',
      cell: ({ id, timeLeft }) => timeLeftText(id === model.state.sweep?.id ? model.summary.eta.sweep : timeLeft),
    },
    { header: 'priority', numeric: true, cell: ({ priority, weight }) => `${priority} ×${weight}` },
    { header: 'metric', cell: ({ metric }) => metric?.name ?? '-' },
    { header: 'trainer', cell: ({ trainer }) => trainer },
    { header: 'reason', cell: ({ reason }) => reason },
  ];
  const listed = Math.min(lines, listLines(model));
  const chosen = sweepUnderCursor(model);
  return (
    <>
      <Box flexDirection="column" height={listed} flexShrink={0}>
        <ListTable
          model={model}
          view="sweeps"
          table={table}
          rows={sweepRows(model)}
          id={({ id }) => id}
          empty="no sweeps yet"
          columns={columns}
          lines={listed}
        />
      </Box>
      {chosen === undefined || lines === listed ? null : (
        <SweepPreview model={model} sweep={chosen} columns={columns} lines={lines - listed} />
      )}
    </>
  );
}

const timeLeftText = (left: TimeLeft | undefined): string => (left === undefined ? '-' : timeLeftRange(left));

function bar(sweep: Sweep): string {
  const cells = Math.floor(sweepProgress(sweep).share * BAR);
  return '█'.repeat(cells) + '░'.repeat(BAR - cells);
}
