import { parametersText } from '../../lib/domain/parameters.ts';
import { formatSpan } from '../../lib/text/numbers.ts';
import type { StyledLine } from '../../lib/text/segment.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { Column } from '../../lib/text/table.ts';
import type { Event } from '../../proto/gen/trawl/v1/types.ts';
import type { Model } from '../state/model.ts';
import { listView } from './list-view.ts';

/** What happened, the newest first. */
export function eventsView(model: Model, columns: number, lines: number): StyledLine[] {
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

export const eventRows = ({ state, earlierEvents }: Pick<Model, 'state' | 'earlierEvents'>): Event[] =>
  [...earlierEvents, ...state.events].reverse();
export const eventId = ({ seq }: Event): string => String(seq);
