import { expect, test } from 'vitest';
import { type Origin, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { isWhole, slotMs, usualAtOnce } from './run-history.ts';

const trial = (startedAtMs: number, endedAtMs: number) => ({ startedAtMs, endedAtMs });

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

test('the time of a promoted trial is the time of all its attempts', () => {
  const [startedAtMs, endedAtMs] = [60_000, 61_000];
  expect(slotMs({ startedAtMs, endedAtMs, leasedMs: 4_000 })).toBe(4_000);
  expect(slotMs({ startedAtMs, endedAtMs, leasedMs: 0 })).toBe(1_000);
});

test('stopped trials, and children in a population, do not count as trials that ran from the first to the last epoch', () => {
  const origin: Origin = { parent: '1f', epoch: 3, replaces: '2f' };
  expect(isWhole({ state: TrialState.SUCCEEDED, origin: undefined })).toBe(true);
  expect(isWhole({ state: TrialState.SUCCEEDED, origin })).toBe(false);
  expect(isWhole({ state: TrialState.STOPPED, origin: undefined })).toBe(false);
});
