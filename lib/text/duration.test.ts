import { expect, test } from 'vitest';
import { formatSpan, MAX_TIMER_MS, parseDuration } from './duration.ts';

test.each([
  ['500ms', 500],
  ['90s', 90_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['1h30m', 5_400_000],
  ['0.5s', 500],
  ['0s', 0],
  ['24d', 2_073_600_000],
  [`${MAX_TIMER_MS}ms`, MAX_TIMER_MS],
])('%s is parsed as %d ms', (text, ms) => {
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
  `${MAX_TIMER_MS + 1}ms`,
  '1e3s',
  '.5s',
  '9'.repeat(400).concat('d'),
])('%j is not a duration', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test('parseDuration accepts a duration that is too long for a timer if the caller passes a higher maximum', () => {
  expect(parseDuration('30d', Number.MAX_SAFE_INTEGER)).toBe(2_592_000_000);
});

test.each([
  [-5, '0.0s'],
  [400, '0.4s'],
  [12_345, '12.3s'],
  [59_960, '1m00s'],
  [123_000, '2m03s'],
  [3_720_000, '1h02m'],
  [273_600_000, '3d04h'],
])('the duration %d ms is formatted as %s', (ms, text) => {
  expect(formatSpan(ms)).toBe(text);
});
