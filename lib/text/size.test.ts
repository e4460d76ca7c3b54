import { expect, test } from 'vitest';
import { formatSize, parseSize } from './size.ts';

test.each([
  ['8GiB', 8 * 2 ** 30],
  ['512 MiB', 512 * 2 ** 20],
  ['1.5GB', 1.5e9],
  ['0.3KB', 300],
  ['1TiB', 2 ** 40],
])('%s is parsed as %d bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['8', '8 gib', 'GiB', '-1GiB', '8GiB ', '1e3MB', '8G', ''])('%j is not a size', (text) => {
  expect(parseSize(text)).toBeUndefined();
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1.5 * 2 ** 20, '1.5 MiB'],
  [2 ** 20 - 1, '1 MiB'],
  [8 * 2 ** 30, '8 GiB'],
  [2 ** 50, '1024 TiB'],
])('%d bytes are formatted as %s', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});
