import { expect, test } from 'vitest';
import { type Origin, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { isWhole, slotMs, usualAtOnce } from './run-history.ts';

const trial = (startedAtMs: number, endedAtMs: number, leasedMs = endedAtMs - startedAtMs) => {
  return { startedAtMs, endedAtMs, leasedMs };
};

test('consecutive trials of a slot do not count as concurrent, even if their times overlap briefly', () => {
  const slots = [0, 500].flatMap((offset) =>
    [0, 1, 2].map((at) => trial(offset + at * 1000, offset + at * 1000 + 1010)),
  );
  expect(usualAtOnce(slots)).toBe(2);
});

test('the trials of a pack count as concurrent, even if one of them ends later than the others', () => {
  expect(usualAtOnce([trial(0, 1000), trial(0, 1000), trial(0, 1000), trial(0, 1300)])).toBe(4);
  expect(usualAtOnce([])).toBe(0);
});

test('the slot time of a promoted trial is the total time of all its attempts', () => {
  expect(slotMs(trial(60_000, 61_000, 4_000))).toBe(4_000);
});

test('a trial that waits for its slot does not count as concurrent and uses no slot time; a slot time is at least 1 ms', () => {
  const queued = Array.from({ length: 17 }, (_, at) => trial(0, (at + 1) * 5, 5));
  expect(usualAtOnce(queued)).toBe(1);
  expect(queued.map(slotMs)).toEqual(queued.map(() => 5));
  expect(slotMs(trial(0, 5, 0))).toBe(1);
});

test('stopped trials, and children in a population, do not count as trials that ran from the first to the last epoch', () => {
  const origin: Origin = { parent: '1f', epoch: 3, replaces: '2f' };
  expect(isWhole({ state: TrialState.SUCCEEDED, origin: undefined })).toBe(true);
  expect(isWhole({ state: TrialState.SUCCEEDED, origin })).toBe(false);
  expect(isWhole({ state: TrialState.STOPPED, origin: undefined })).toBe(false);
});
