import { expect, test } from 'vitest';
import { usualAtOnce } from './run-history.ts';

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
