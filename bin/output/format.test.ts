import { expect, test } from 'vitest';
import { isoTime, spreadText } from './format.ts';

test('a time that is 0 or invalid is formatted as null', () => {
  expect([0, 1_000, 9e15].map(isoTime)).toEqual([null, '1970-01-01T00:00:01.000Z', null]);
});

test('a mean of several values is followed by its standard deviation', () => {
  expect(spreadText({ mean: 0.0718881, std: 0.00123, n: 3 })).toBe('0.071888 ± 0.0012');
  expect(spreadText({ mean: 0.0718881, std: 0, n: 1 })).toBe('0.071888');
  expect(spreadText({ mean: 17.5, std: 0, n: 2 })).toBe('17.500 ± 0');
  expect(spreadText(undefined)).toBe('-');
});
