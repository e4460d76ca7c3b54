/** Tables with a cursor, and two views made of one: sweeps and events. */
import { parametersText } from '../../lib/domain/parameters.ts';
import { endedTotal, trialTotal } from '../../lib/domain/trial-state.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { sweepStyle } from '../../lib/text/style.ts';
import { type Column, layoutTable } from '../../lib/text/table.ts';
import { firstLine } from '../../lib/text/visible-text.ts';
import type { Event, Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { EMPTY_LINE, type StyledLine, styledLine } from '../draw/line.ts';
import type { Model } from '../state/model.ts';
import { eventId, eventRows, sweepRows } from '../state/selectors.ts';
import { cursorOf, type ViewKind, windowOf } from '../state/ui.ts';

const HIDDEN_COLUMNS = 8;

export interface List<Row> {
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly id: (row: Row) => string;
  /** The text that is shown when there are no rows. */
  readonly empty: string;
}

export function listView<Row>(
  model: Model,
  view: ViewKind,
  list: List<Row>,
  width: number,
  lines: number,
): StyledLine[] {
  const { columns, rows, id, empty } = list;
  const room = Math.max(1, lines - 1);
  const indexOf = (wanted: string) => rows.findIndex((row) => id(row) === wanted);
  const { at, offset } = windowOf(cursorOf(model.ui, view), rows.length, room, indexOf);
  const window = rows.slice(offset, offset + room);
  const whole = layoutTable(columns, window, width);
  const {
    header,
    rows: cells,
    hidden,
  } = whole.hidden.length === 0 ? whole : layoutTable(columns, window, Math.max(1, width - HIDDEN_COLUMNS));
  const hiddenText = hidden.length === 0 ? '' : `  ${hidden.length} more`;
  return [
    { segments: [...header, { text: hiddenText, style: 'dim' }] },
    ...cells.map((segments, i): StyledLine => ({ segments, cursor: offset + i === at })),
    ...(rows.length === 0 ? [styledLine(empty, 'dim')] : []),
    ...Array<StyledLine>(Math.max(0, room - Math.max(1, cells.length))).fill(EMPTY_LINE),
  ];
}

const BAR = 8;

/** Draws every sweep of the coordinator, newest first. */
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
    { header: 'progress', neverCut: true, cell: bar },
    { header: 'ended', numeric: true, cell: (sweep) => `${endedTotal(sweep)}/${trialTotal(sweep)}` },
    { header: 'running', numeric: true, cell: ({ counts }) => String(counts?.running ?? 0) },
    { header: 'failed', numeric: true, cell: ({ counts }) => String(counts?.failed ?? 0) },
    {
      header: 'time',
      numeric: true,
      cell: ({ createdAtMs, endedAtMs }) => formatSpan((endedAtMs || model.now) - createdAtMs),
    },
    { header: 'priority', numeric: true, cell: ({ priority, weight }) => `${priority} ×${weight}` },
    { header: 'metric', cell: ({ metric }) => metric?.name ?? '-' },
    { header: 'trainer', cell: ({ trainer }) => trainer },
    { header: 'reason', cell: ({ reason }) => reason },
  ];
  return listView(
    model,
    'sweeps',
    { columns: table, rows, id: ({ id }) => id, empty: 'no sweeps yet' },
    columns,
    lines,
  );
}

function bar(sweep: Sweep): string {
  const total = trialTotal(sweep);
  const cells = total === 0 ? 0 : Math.floor((endedTotal(sweep) / total) * BAR);
  return '█'.repeat(cells) + '░'.repeat(BAR - cells);
}

/** Draws the events, newest first. */
export function eventsView(model: Model, columns: number, lines: number): StyledLine[] {
  const { state } = model;
  const startedAtMs = state.sweep?.createdAtMs ?? 0;
  const table: Column<Event>[] = [
    { header: 'time', numeric: true, cell: ({ atMs }) => `+${formatSpan(atMs - startedAtMs)}` },
    { header: 'trial', cell: ({ trialId }) => shortId(trialId) || '-' },
    { header: 'attempt', numeric: true, cell: ({ attempt }) => (attempt === 0 ? '' : String(attempt)) },
    {
      header: 'event',
      cell: ({ kind }) => kind,
      style: ({ detail }) => (detail.startsWith('failed') ? 'yellow' : undefined),
    },
    { header: 'detail', cell: ({ detail }) => firstLine(detail) },
    {
      header: 'parameters',
      cell: ({ trialId }) => {
        const trial = state.trials.get(trialId);
        return trial === undefined ? '' : parametersText(trial, state.varying);
      },
    },
  ];
  return listView(
    model,
    'events',
    { columns: table, rows: eventRows(model), id: eventId, empty: 'no events yet' },
    columns,
    lines,
  );
}
