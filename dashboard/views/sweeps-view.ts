import { endedTotal, trialTotal } from '../../lib/domain/trial-state.ts';
import { formatSpan } from '../../lib/text/numbers.ts';
import type { StyledLine } from '../../lib/text/segment.ts';
import { sweepStyle } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import type { Model } from '../state/model.ts';
import { listView } from './list-view.ts';

const BAR = 12;

/** Every sweep of the coordinator, the newest first. */
export function sweepsView(model: Model, columns: number, lines: number): StyledLine[] {
  const rows = sweepRows(model);
  const table: Column<Sweep>[] = [
    { header: 'sweep', cell: ({ id }) => `${id === model.state.sweep?.id ? '▸' : ' '}${id}` },
    { header: 'name', cell: ({ name }) => name },
    {
      header: 'state',
      cell: ({ state }) => sweepState.of(state),
      style: ({ state }) => sweepStyle(sweepState.of(state)),
    },
    { header: 'progress', whole: true, cell: bar },
    { header: 'ended', numeric: true, cell: (sweep) => `${endedTotal(sweep)}/${trialTotal(sweep)}` },
    { header: 'running', numeric: true, cell: ({ counts }) => String(counts?.running ?? 0) },
    { header: 'failed', numeric: true, cell: ({ counts }) => String(counts?.failed ?? 0) },
    {
      header: 'took',
      numeric: true,
      cell: ({ createdAtMs, endedAtMs }) => formatSpan((endedAtMs || model.now) - createdAtMs),
    },
    // What a narrow terminal has no room for comes last.
    { header: 'priority', numeric: true, cell: ({ priority, weight }) => `${priority} ×${weight}` },
    { header: 'metric', cell: ({ metric }) => metric?.name ?? '-' },
    { header: 'trainer', cell: ({ trainer }) => trainer },
    { header: 'reason', cell: ({ reason }) => reason },
  ];
  return listView(model, 'sweeps', { columns: table, rows, id: ({ id }) => id }, columns, lines);
}

/** As the view lists them: the watched one as the stream has it, which is newer than the list. */
export function sweepRows({ sweeps, state }: Pick<Model, 'sweeps' | 'state'>): Sweep[] {
  const watched = state.sweep;
  const known = sweeps.map((sweep) => (sweep.id === watched?.id ? watched : sweep));
  const all = watched === undefined || known.includes(watched) ? known : [...known, watched];
  return all.toSorted((a, b) => b.createdAtMs - a.createdAtMs || Number(b.id) - Number(a.id));
}

function bar(sweep: Sweep): string {
  const total = trialTotal(sweep);
  const cells = total === 0 ? 0 : Math.floor((endedTotal(sweep) / total) * BAR);
  return '█'.repeat(cells) + '░'.repeat(BAR - cells);
}
