import { expect, test } from 'vitest';
import { spreadText } from './format.ts';

test('a mean of several values is followed by its standard deviation', () => {
  expect(spreadText({ mean: 0.0718881, std: 0.00123, n: 3 })).toBe('0.071888 ± 0.0012');
  expect(spreadText({ mean: 0.0718881, std: 0, n: 1 })).toBe('0.071888');
  expect(spreadText({ mean: 17.5, std: 0, n: 2 })).toBe('17.500 ± 0');
  expect(spreadText(undefined)).toBe('-');
});
