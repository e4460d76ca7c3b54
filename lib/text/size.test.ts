import { expect, test } from 'vitest';
import { parseSize } from './size.ts';

test.each([
  ['8GiB', 8 * 2 ** 30],
  ['512 MiB', 512 * 2 ** 20],
  ['1.5GB', 1.5e9],
  ['0.3KB', 300],
  ['1TiB', 2 ** 40],
])('%s is %d bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['8', '8 gib', 'GiB', '-1GiB', '8GiB ', '1e3MB', '8G', ''])('%j is no size', (text) => {
  expect(parseSize(text)).toBeUndefined();
});
