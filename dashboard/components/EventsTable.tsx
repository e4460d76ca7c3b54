import { parametersText } from '../../lib/domain/parameters.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import type { Column } from '../../lib/text/table.ts';
import type { Event } from '../../proto/gen/trawl/v1/types.ts';
import { clockText, eventDetail, eventId, eventRows, trialText } from '../state/event-rows.ts';
import type { Model } from '../state/model.ts';
import { ListTable } from './ListTable.tsx';

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/** On a narrower terminal, the detail needs the room of the less important columns. */
const WIDE = 100;

/** Kinds of agent events that need attention. */
const ALARMING = ['lost', 'quarantined'];

/** The events of the sweep and of the agents, newest first. */
export function EventsTable({ model, columns, lines }: Props) {
  const { state } = model;
  const startedAtMs = state.sweep?.createdAtMs ?? 0;
  const after: Column<Event> = {
    header: 'after',
    numeric: true,
    cell: ({ atMs }) => `+${formatSpan(atMs - startedAtMs)}`,
  };
  const isWide = columns >= WIDE;
  const table: Column<Event>[] = [
    { header: 'time', numeric: true, cell: ({ atMs }) => clockText(atMs, model.now) },
    ...(isWide ? [after] : []),
    { header: 'trial', neverCut: true, cell: trialText },
    {
      header: 'event',
      neverCut: true,
      cell: ({ kind }) => kind,
      style: ({ kind, detail }) => (detail.startsWith('failed') || ALARMING.includes(kind) ? 'yellow' : undefined),
    },
    { header: 'detail', required: true, minWidth: 36, cell: eventDetail },
    ...(isWide ? [] : [after]),
    {
      header: 'parameters',
      cell: ({ trialId }) => {
        const trial = state.trials.get(trialId);
        return trial === undefined ? '' : parametersText(trial, state.varying);
      },
    },
  ];
  return (
    <ListTable
      model={model}
      view="events"
      table={table}
      rows={eventRows(model)}
      id={eventId}
      empty={model.ui.lists.events.filterText === '' ? 'no events yet' : 'no event matches the filter (q clears it)'}
      columns={columns}
      lines={lines}
    />
  );
}
