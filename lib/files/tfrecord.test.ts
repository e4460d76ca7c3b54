import { expect, test } from 'vitest';
import { crc32c } from './tfrecord.ts';

test.each([
  ['32 bytes of zeroes', new Uint8Array(32), 0x8a9136aa],
  ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 bytes rising from 0', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['32 bytes falling to 0', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ['the standard check text 123456789', new TextEncoder().encode('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(), 0],
])('the CRC-32C of %s has the expected value', (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});
