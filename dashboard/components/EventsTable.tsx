import { parametersText } from '../../lib/domain/parameters.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { Column } from '../../lib/text/table.ts';
import { firstLine } from '../../lib/text/visible-text.ts';
import type { Event } from '../../proto/gen/trawl/v1/types.ts';
import type { Model } from '../state/model.ts';
import { eventId, eventRows } from '../state/selectors.ts';
import { ListTable } from './ListTable.tsx';

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/** The events, newest first. */
export function EventsTable({ model, columns, lines }: Props) {
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
  return (
    <ListTable
      model={model}
      view="events"
      table={table}
      rows={eventRows(model)}
      id={eventId}
      empty="no events yet"
      columns={columns}
      lines={lines}
    />
  );
}
