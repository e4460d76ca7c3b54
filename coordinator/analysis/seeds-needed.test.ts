import { expect, test } from 'vitest';
import { MAX_SEEDS_NEEDED, seedsNeeded } from './seeds-needed.ts';

const cells = (left: readonly number[], right: readonly number[]) => [
  { weight: 1, values: left },
  { weight: -1, values: right },
];

test('is the smallest n of the formula', () => {
  // scipy: the first n with |d| >= (t.ppf(.975, df) + t.ppf(.8, df)) * sqrt(va / n + vb / n)
  expect(seedsNeeded(cells([1.0, 1.6, 0.7], [0.9, 0.8, 1.1]), 0.95)).toBe(68);
});

test('an effect that is clear needs few, one that is all chance more than the limit', () => {
  expect(seedsNeeded(cells([1, 1.1, 0.9], [2, 2.1, 1.9]), 0.95)).toBeLessThanOrEqual(4);
  expect(seedsNeeded(cells([1, 2, 3], [1, 2, 3.0001]), 0.95)).toBeUndefined();
  expect(seedsNeeded(cells([1, 1], [1, 1]), 0.95)).toBeUndefined();
  expect(MAX_SEEDS_NEEDED).toBeGreaterThan(68);
});
