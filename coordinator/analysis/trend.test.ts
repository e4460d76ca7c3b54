import { expect, test } from 'vitest';
import { jointZ, trendOf } from './trend.ts';

const SERIES = [5, 4.2, 4.4, 3.9, 3.1, 3.3, 2.8, 2.8, 2.1, 2.2];

test('Mann’s S, its variance with ties, and its z-score agree with the textbook formula', () => {
  // Expected, with numpy: S = sum(sign(x[j] - x[i])) over all i < j, var = (10 * 9 * 25 - 2 * 1 * 9) / 18, because the
  // 10 values have one tie of 2 values, and z = (S + 1) / sqrt(var), because S is negative.
  const trend = trendOf(SERIES);
  expect(trend).toMatchObject({ s: -38, variance: 124, steps: 9, ups: 3, downs: 5 });
  expect(trend.tau).toBeCloseTo(-38 / 45, 12);
  expect(jointZ([trend])).toBeCloseTo(-3.322698087495336, 12);
});

test('equal trends strengthen each other, and opposite trends cancel', () => {
  const falls = trendOf(SERIES);
  const rises = trendOf(SERIES.map((value) => -value));
  expect(jointZ([falls, falls])).toBeLessThan(jointZ([falls]));
  expect(jointZ([falls, rises])).toBe(0);
  expect(jointZ([trendOf([1, 1, 1])])).toBe(0);
});
