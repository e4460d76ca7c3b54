import { expect, test } from 'vitest';
import { firstLine } from './visible-text.ts';

test.each([
  ['ValueError: bad\nstderr:\nTraceback', 'ValueError: bad'],
  ['\n\nValueError: bad\r\nmore', 'ValueError: bad'],
  ['one line', 'one line'],
  ['', ''],
])('the first line of %j is %j', (text, line) => {
  expect(firstLine(text)).toBe(line);
});
