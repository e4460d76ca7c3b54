import { expect, test } from 'vitest';
import { sparkline } from './sparkline.ts';

test('a sparkline draws the minimum as the lowest block and the maximum as the highest block, and leaves a gap for NaN', () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).toBe('▁▂▃▄▅▆▇█');
  expect(sparkline([1, Number.NaN, 0], 8)).toBe('█ ▁');
  expect(sparkline([3, 3], 8)).toBe('▁▁');
  expect(sparkline([], 8)).toBe('');
});

test('a sparkline with more values than columns keeps the first and the last value', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  const drawn = sparkline(values, 5);
  expect(drawn).toHaveLength(5);
  expect([drawn[0], drawn[4]]).toEqual(['█', '▁']);
});
