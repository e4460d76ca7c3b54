import { Box } from 'ink';
import { parametersText } from '../../lib/domain/parameters.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import type { Column } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Event } from '../../proto/gen/trawl/v1/types.ts';
import { wrapWords } from '../draw/wrap-words.ts';
import { clockText, eventDetail, eventId, eventRows, eventUnderCursor, trialText } from '../state/event-rows.ts';
import { listLines } from '../state/layout.ts';
import type { Model } from '../state/model.ts';
import { Label } from './Line.tsx';
import { ListTable } from './ListTable.tsx';
import { TrialPreview } from './TrialPreview.tsx';

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/**
 * At this width or above, the time since the submission is shown beside the time of day. On a narrower terminal, the time
 * since the submission is to the right of the details, and is omitted if it does not fit.
 */
const WIDE = 100;

/** Kinds of agent events that need attention. */
const ALARMING = ['lost', 'quarantined'];

/** The events of the sweep and of the agents, newest first; below the list, the event under the cursor. */
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
  const listed = Math.min(lines, listLines(model));
  const event = eventUnderCursor(model);
  return (
    <>
      <Box flexDirection="column" height={listed} flexShrink={0}>
        <ListTable
          model={model}
          view="events"
          table={table}
          rows={eventRows(model)}
          id={eventId}
          empty={
            model.ui.lists.events.filterText === '' ? 'no events yet' : 'no event matches the filter (q clears it)'
          }
          columns={columns}
          lines={listed}
        />
      </Box>
      {event === undefined || lines === listed ? null : (
        <EventPreview model={model} event={event} columns={columns} lines={lines - listed} />
      )}
    </>
  );
}

interface PreviewProps {
  readonly model: Model;
  readonly event: Event;
  readonly columns: number;
  readonly lines: number;
}

/** The full text of an event and, if there is room, the trial of the event. */
function EventPreview({ model, event, columns, lines }: PreviewProps) {
  const detail = wrapWords(visibleText([event.kind, eventDetail(event)].join(' ')), columns).slice(0, lines - 1);
  const room = lines - 1 - detail.length;
  return (
    <Box flexDirection="column" height={lines} paddingTop={1} flexShrink={0} overflowY="hidden">
      {detail.map((text, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
        <Label key={at} text={text} columns={columns} />
      ))}
      <TrialPreview
        model={model}
        trial={model.state.trials.get(event.trialId)}
        replicates={[]}
        columns={columns}
        lines={room}
      />
    </Box>
  );
}
