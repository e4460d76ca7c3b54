import { expect, test } from 'vitest';
import { NO_SLOT_TIME } from '../../lib/domain/slot-time.ts';
import { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { runningEstimate, runningEstimateText } from './sweep-estimate.ts';

const HOUR_MS = 3_600_000;
const NOW = 100 * HOUR_MS;
const left = (expectedMs: number) => ({ lowMs: expectedMs / 2, expectedMs, highMs: expectedMs * 2 });

/** A sweep two hours after its start, with 4 hours left on 8 slots. */
const RUNNING = Sweep.fromPartial({
  createdAtMs: NOW - 2 * HOUR_MS,
  counts: { running: 8, succeeded: 12 },
  slotTime: { slotMs: 14 * HOUR_MS, slots: 8, atMs: NOW, attempts: 8 },
  timeLeft: left(4 * HOUR_MS),
  slotTimeLeft: left(30 * HOUR_MS),
  slotShare: { slots: 8 },
});

test('the estimate of a running sweep is its time so far plus its time left', () => {
  expect(runningEstimate(RUNNING, NOW)).toEqual({
    duration: { low: 4 * HOUR_MS, expected: 6 * HOUR_MS, high: 10 * HOUR_MS },
    slotTime: { low: 29 * HOUR_MS, expected: 44 * HOUR_MS, high: 74 * HOUR_MS },
    slots: 8,
  });
});

test('a pack of trials counts as one slot', () => {
  const slotTime = { ...(RUNNING.slotTime ?? NO_SLOT_TIME), attempts: 32 };
  const counts = { ...RUNNING.counts, running: 32 };
  const packed = { ...RUNNING, counts, slotTime, slotShare: { slots: 32, waitMs: 0 } };
  expect(runningEstimate(Sweep.fromPartial(packed), NOW)?.slots).toBe(8);
});

test('trials that wait for the previous trial of their slot do not count as a pack', () => {
  const queued = { ...RUNNING, counts: { ...RUNNING.counts, running: 136 } };
  expect(runningEstimate(Sweep.fromPartial(queued), NOW)?.slots).toBe(8);
});

test('a sweep whose time left is unknown has no estimate', () => {
  expect(runningEstimate({ ...RUNNING, timeLeft: undefined }, NOW)).toBeUndefined();
  expect(runningEstimate({ ...RUNNING, slotTimeLeft: undefined }, NOW)).toBeUndefined();
});

test('the text of an estimate names slots, interval, slot-hours and the trials that it comes from', () => {
  const text = (sweep: Sweep) => {
    const estimate = runningEstimate(sweep, NOW);
    return estimate && runningEstimateText(sweep, estimate);
  };
  expect(text(RUNNING)).toBe(
    'about 6h00m on 8 slots (90% interval 4h00m to 10h00m), 44.0 slot-hours; from its 12 ended trials',
  );
  const first = Sweep.fromPartial({ ...RUNNING, counts: { running: 1 }, slotShare: { slots: 1 } });
  expect(text(first)).toMatch(/ on 1 slot .*; from its running trials$/);
});
