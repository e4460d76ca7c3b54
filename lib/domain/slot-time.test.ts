import { expect, test } from 'vitest';
import { Trial } from '../../proto/gen/trawl/v1/types.ts';
import {
  attemptMs,
  lastStartMs,
  leasedMs,
  NO_SLOT_TIME,
  queuedTrials,
  slotTimeAt,
  slotTimeText,
  trialsPerSlot,
} from './slot-time.ts';

test('each second adds one slot-second per slot in use, and one GPU-second per GPU of these slots', () => {
  const time = { slotMs: 1_000, gpuMs: 500, slots: 3, gpus: 1.5, atMs: 10_000, attempts: 4 };
  expect(slotTimeAt(time, 12_000)).toEqual({ ...time, slotMs: 7_000, gpuMs: 3_500, atMs: 12_000 });
  expect(slotTimeAt(time, 9_000)).toMatchObject({ slotMs: 1_000, gpuMs: 500 });
  const paused = { ...time, slots: 0, gpus: 0 };
  expect(slotTimeAt(paused, 99_000)).toMatchObject({ slotMs: 1_000, gpuMs: 500 });
});

test('the GPU time is shown in hours, minutes or seconds; if it is 0, the slot time is shown instead', () => {
  const textOf = (slotMs: number, gpuMs: number) => slotTimeText({ ...NO_SLOT_TIME, slotMs, gpuMs });
  expect(textOf(7_200_000, 3_600_000)).toBe('1.0 GPU-hours');
  expect(textOf(44_640_000, 0)).toBe('12.4 slot-hours');
  expect(textOf(3_599_000, 0)).toBe('60.0 slot-minutes');
  expect(textOf(90_000, 72_000)).toBe('1.2 GPU-minutes');
  expect(textOf(38_900, 0)).toBe('38 slot-seconds');
  expect(textOf(0, 0)).toBe('0 slot-seconds');
});

test('the time of a trial includes all its attempts, but not the time between them', () => {
  const trial = Trial.fromPartial({ startedAtMs: 50_000, leasedMs: 4_000, state: 'TRIAL_STATE_PENDING' });
  expect(leasedMs(trial, 60_000)).toBe(4_000);
  expect(leasedMs({ ...trial, state: 'TRIAL_STATE_RUNNING' }, 60_000)).toBe(14_000);
  expect(leasedMs({ ...trial, state: 'TRIAL_STATE_FAILED', endedAtMs: 55_000 }, 60_000)).toBe(4_000);
});

test('the duration of an attempt excludes the time that it waited for its slot, and is never negative', () => {
  const attempt = { grantedAtMs: 1_000, endedAtMs: 1_090 };
  expect(attemptMs({ ...attempt, leasedMs: 5 })).toBe(5);
  expect(attemptMs({ ...attempt, leasedMs: 60_000 })).toBe(90);
  expect(attemptMs({ ...attempt, endedAtMs: 900, leasedMs: 5 })).toBe(0);
});

test('for an ended trial, lastStartMs is the time when its last attempt started; for other trials, it is the time of the grant', () => {
  const trial = { startedAtMs: 1_000, endedAtMs: 1_090, leasedMs: 5 };
  expect(lastStartMs(trial)).toBe(1_085);
  expect(lastStartMs({ ...trial, endedAtMs: 0 })).toBe(1_000);
  expect(lastStartMs({ ...trial, startedAtMs: 0, leasedMs: 0 })).toBe(0);
});

test('trialsPerSlot divides the started attempts by the slots, and queuedTrials counts the running trials that have not started', () => {
  const packed = { ...NO_SLOT_TIME, slots: 8, attempts: 32 };
  expect(trialsPerSlot(packed)).toBe(4);
  expect(queuedTrials(136, packed)).toBe(104);
  const single = { ...packed, attempts: 8 };
  expect(trialsPerSlot(single)).toBe(1);
  expect(queuedTrials(8, single)).toBe(0);
  expect(queuedTrials(7, single)).toBe(0);
});

test('if the number of attempts is unknown, one trial per slot and no queued trials are assumed', () => {
  const older = { ...NO_SLOT_TIME, slots: 8 };
  expect(trialsPerSlot(older)).toBe(1);
  expect(queuedTrials(8, older)).toBe(0);
  expect(trialsPerSlot(NO_SLOT_TIME)).toBe(1);
});
