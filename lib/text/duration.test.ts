import { expect, test } from 'vitest';
import { MAX_DURATION_MS, parseDuration } from './duration.ts';

test.each([
  ['500ms', 500],
  ['90s', 90_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['1h30m', 5_400_000],
  ['0.5s', 500],
  ['0s', 0],
  ['24d', 2_073_600_000],
  [`${MAX_DURATION_MS}ms`, MAX_DURATION_MS],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  '',
  '90',
  's',
  '-1s',
  '1 h',
  '1w',
  '1h-',
  '25d',
  `${MAX_DURATION_MS + 1}ms`,
  '1e3s',
  '.5s',
  '9'.repeat(400).concat('d'),
])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});
