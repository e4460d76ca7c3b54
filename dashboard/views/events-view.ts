import type { Event } from '../../proto/gen/trawl/v1/types.ts';
import { formatSpan } from '../draw/numbers.ts';
import type { Line } from '../draw/segment.ts';
import { shortId } from '../draw/short-id.ts';
import type { Column } from '../draw/table.ts';
import type { Model } from '../state/model.ts';
import { parametersText } from '../state/parameters.ts';
import { listView } from './list-view.ts';

/** What happened, the newest first. */
export function eventsView(model: Model, columns: number, lines: number): Line[] {
  const { state } = model;
  const startedAtMs = state.sweep?.createdAtMs ?? 0;
  const table: Column<Event>[] = [
    { header: 'at', numeric: true, cell: ({ atMs }) => `+${formatSpan(atMs - startedAtMs)}` },
    { header: 'trial', cell: ({ trialId }) => shortId(trialId) || '-' },
    { header: 'try', numeric: true, cell: ({ attempt }) => (attempt === 0 ? '' : String(attempt)) },
    {
      header: 'what',
      cell: ({ kind }) => kind,
      style: ({ detail }) => (detail.startsWith('failed') ? 'yellow' : undefined),
    },
    { header: 'detail', cell: ({ detail }) => detail },
    {
      header: 'parameters',
      cell: ({ trialId }) => {
        const trial = state.trials.get(trialId);
        return trial === undefined ? '' : parametersText(trial, state.varying);
      },
    },
  ];
  return listView(model, 'events', { columns: table, rows: eventRows(model), id: eventId }, columns, lines);
}

export const eventRows = ({ state, earlier }: Pick<Model, 'state' | 'earlier'>): Event[] =>
  [...earlier, ...state.events].reverse();
export const eventId = ({ seq }: Event): string => String(seq);
