import { expect, test } from 'vitest';
import { formatStep } from './numbers.ts';

test.each([
  [0, '0'],
  [12, '12'],
  [1 / 3, '0.33333'],
  [0.1 + 0.2, '0.3'],
  [1234.5, '1234.5'],
  [0.00012345678, '0.00012346'],
  [1_000_000, '1000000'],
])('step %d is formatted as %s', (step, text) => {
  expect(formatStep(step)).toBe(text);
});
