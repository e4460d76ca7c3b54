import { expect, test } from 'vitest';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { delta, event, sampleSweep, snapshot, trialAt } from '../../test/support/dashboard/sample.ts';
import { WatchPosition } from './watch.ts';

const at = (seq: number) => ({ ...event('granted', trialAt(0), 1), seq });
const eventsOf = (response: WatchResponse | undefined) =>
  response?.update?.$case === 'delta' ? response.update.delta.events.map(({ seq }) => seq) : undefined;

test('a watcher resumes after the newest event of the last complete batch', () => {
  const position = new WatchPosition();
  expect(position.since).toBe(0);
  position.take(snapshot(undefined, undefined, undefined, { eventSeq: 7 }));
  expect(position.since).toBe(7);
  position.take(delta({ events: [at(8), at(9)], eventSeq: 9, more: true }));
  expect(position.since).toBe(7);
  position.take(delta({ eventSeq: 9 }));
  expect(position.since).toBe(9);
});

test('a snapshot that is interrupted is received again from its beginning', () => {
  const position = new WatchPosition();
  position.take(snapshot(undefined, undefined, undefined, { eventSeq: 7, more: true }));
  position.take(delta({ eventSeq: 7, more: true }));
  expect(position.since).toBe(0);
  position.take(delta({ eventSeq: 7 }));
  expect(position.since).toBe(7);
});

test('a watcher does not repeat the events that it received before an outage', () => {
  const position = new WatchPosition();
  position.take(snapshot(undefined, undefined, undefined, { eventSeq: 7 }));
  expect(eventsOf(position.take(delta({ events: [at(8), at(9)], eventSeq: 9, more: true })))).toEqual([8, 9]);
  expect(eventsOf(position.take(delta({ events: [at(8), at(9), at(12)], eventSeq: 12 })))).toEqual([12]);
});

test('a watcher requests a new snapshot if the coordinator at the address now has another store', () => {
  const position = new WatchPosition();
  position.take(snapshot(undefined, undefined, undefined, { eventSeq: 7 }));
  expect(position.take(delta({ sweep: sampleSweep({ createdAtMs: 1 }), eventSeq: 30 }))).toBeUndefined();
  expect(position.since).toBe(0);
});
