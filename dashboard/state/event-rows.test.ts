import { expect, test } from 'vitest';
import { parseFilter } from '../../lib/filter/parse.ts';
import { midTrials } from '../../test/support/dashboard/mid-sweep.ts';
import { event } from '../../test/support/dashboard/sample.ts';
import { clockText, eventDetail, eventKinds, eventRows } from './event-rows.ts';
import { EMPTY_STATE } from './reducer.ts';
import { initialUi, withList } from './ui.ts';

const [trial] = midTrials;
const earlierEvents = [{ ...event('joined', undefined, 0, 'agent a on box, 2 slots'), agentId: 'a' }];
const state = {
  ...EMPTY_STATE,
  events: [event('granted', trial, 1, 'to agent a, slot 0'), { ...event('lost', undefined, 2), agentId: 'a' }],
};

function kinds(text: string): string[] {
  const choice = { filterText: text, filter: parseFilter(text) };
  const ui = withList(initialUi({ kind: 'events' }), 'events', choice);
  return eventRows({ state, earlierEvents, ui }).map(({ kind }) => kind);
}

test('events of trials and events of agents are merged into one list, newest first', () => {
  expect(kinds('')).toEqual(['lost', 'granted', 'joined']);
});

test('a filter selects events by kind, by agent or by text', () => {
  expect(kinds('kind=lost')).toEqual(['lost']);
  expect(kinds('kind=lost or kind=joined')).toEqual(['lost', 'joined']);
  expect(kinds('agent=a and not kind=lost')).toEqual(['joined']);
  expect(kinds('slot')).toEqual(['granted', 'joined']);
  expect(eventKinds({ state, earlierEvents })).toEqual(['granted', 'joined', 'lost']);
});

test('a time of day is shown with its date if the date is not today', () => {
  const at = new Date(2026, 4, 3, 7, 8, 9).getTime();
  expect(clockText(at, at + 1_000)).toBe('07:08:09');
  expect(clockText(at, at + 86_400_000)).toBe('05-03 07:08:09');
});

test('the detail of an event names its agent once, and includes the user', () => {
  const drained = { ...event('drained', undefined, 3, 'replace the disk'), agentId: 'gpu-1', by: 'ann' };
  expect(eventDetail(drained)).toBe('gpu-1: replace the disk (by ann)');
  expect(eventDetail({ ...drained, kind: 'undrained', detail: '' })).toBe('gpu-1 (by ann)');
  expect(eventDetail({ ...drained, detail: 'agent gpu-1 on box, 2 slots', by: '' })).toBe(
    'agent gpu-1 on box, 2 slots',
  );
  expect(eventDetail(event('ended', trial, 4, 'failed (crash): bad width\nTraceback'))).toBe(
    'failed (crash): bad width',
  );
});
