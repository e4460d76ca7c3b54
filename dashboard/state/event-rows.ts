/** The rows of the events view: the filtered events of the sweep and of the agents. */
import { matchesFields } from '../../lib/filter/matches.ts';
import { quote } from '../../lib/text/quote.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { firstLine } from '../../lib/text/visible-text.ts';
import type { Event } from '../../proto/gen/trawl/v1/types.ts';
import type { Model } from './model.ts';
import { cursorOf, windowOf } from './ui.ts';

const FIELDS: Readonly<Record<string, (event: Event) => number | string>> = {
  kind: ({ kind }) => kind,
  trial: ({ trialId }) => trialId,
  agent: ({ agentId }) => agentId,
  attempt: ({ attempt }) => attempt,
  detail: ({ detail }) => detail,
  by: ({ by }) => by,
};

/** The names of the fields that an event filter can use. */
export const EVENT_FIELDS: readonly string[] = Object.keys(FIELDS);

/** Returns the events that match the filter, newest first. */
export function eventRows({ state, earlierEvents, ui }: Pick<Model, 'state' | 'earlierEvents' | 'ui'>): Event[] {
  const { filter, filterText } = ui.lists.events;
  const all = [...earlierEvents, ...state.events].reverse();
  if (filterText === '') return all;
  return all.filter((event) =>
    matchesFields(filter, {
      field: (name) => FIELDS[name]?.(event),
      text: () => [event.kind, event.trialId, event.agentId, event.detail, event.by].join(' '),
    }),
  );
}

export const eventId = ({ seq }: Event): string => String(seq);

/** Returns the kinds of the events that have arrived, in alphabetical order. */
export const eventKinds = ({ state, earlierEvents }: Pick<Model, 'state' | 'earlierEvents'>): string[] =>
  [...new Set([...earlierEvents, ...state.events].map(({ kind }) => kind))].sort();

/** Returns the filter that shows one kind of events. */
export const kindFilter = (kind: string): string => `kind=${quote(kind)}`;

const CLOCK = 'HH:MM:SS'.length;

/** Returns the local time of day, with the date if the day is not today. */
export function clockText(atMs: number, nowMs: number): string {
  const [at, now] = [new Date(atMs), new Date(nowMs)];
  const clock = at.toTimeString().slice(0, CLOCK);
  if (at.toDateString() === now.toDateString()) return clock;
  const [month, day] = [at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, '0'));
  return `${month}-${day} ${clock}`;
}

/** Returns the short id of an event's trial and the attempt, such as `3f2a91bc/2`; `-` if the event has no trial. */
export function trialText({ trialId, attempt }: Event): string {
  return trialId === '' ? '-' : `${shortId(trialId)}${attempt === 0 ? '' : `/${attempt}`}`;
}

/**
 * Returns one line about an event: its agent, the first line of its detail, and the user who caused the event. The
 * agent is omitted if the detail names it.
 */
export function eventDetail({ agentId, detail, by }: Event): string {
  const text = firstLine(detail);
  const agent = text.includes(agentId) ? '' : agentId;
  return [[agent, text].filter(Boolean).join(': '), by === '' ? '' : `(by ${by})`].filter(Boolean).join(' ');
}

/** Returns the event under the cursor of the events view. */
export function eventUnderCursor(model: Pick<Model, 'state' | 'earlierEvents' | 'ui'>): Event | undefined {
  const events = eventRows(model);
  const indexOf = (id: string) => events.findIndex((event) => eventId(event) === id);
  return events[windowOf(cursorOf(model.ui, 'events'), events.length, 1, indexOf).at];
}
