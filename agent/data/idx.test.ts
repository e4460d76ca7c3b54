import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseImages } from './idx.ts';

function file(magic: number, count: number, rows: number, columns: number, pixels: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + pixels.length);
  const header = new DataView(bytes.buffer);
  for (const [i, value] of [magic, count, rows, columns].entries()) header.setUint32(4 * i, value);
  bytes.set(pixels, 16);
  return bytes;
}

test('images come out as they were written', () => {
  const side = fc.integer({ min: 1, max: 6 });
  fc.assert(
    fc.property(fc.nat({ max: 5 }), side, side, (count, rows, columns) => {
      const pixels = Uint8Array.from({ length: count * rows * columns }, (_, i) => i);
      expect(parseImages('x', file(0x803, count, rows, columns, pixels))).toEqual({ count, rows, columns, pixels });
    }),
  );
});

test('a file that is shorter or longer than its header says is refused by name', () => {
  const whole = file(0x803, 2, 3, 3, new Uint8Array(18));
  expect(() => parseImages('train-images', whole.subarray(0, 33))).toThrow(
    'train-images: 33 bytes, expected 34 for 2 images of 3x3',
  );
  expect(() => parseImages('train-images', Uint8Array.of(...whole, 0))).toThrow('train-images: 35 bytes, expected 34');
  expect(() => parseImages('train-images', whole.subarray(0, 10))).toThrow(
    'train-images: 10 bytes, expected an IDX header',
  );
});

test('a file of labels is no file of images', () => {
  expect(() => parseImages('labels', file(0x801, 2, 3, 3, new Uint8Array(18)))).toThrow(
    'labels: begins with 0x00000801, expected 0x00000803',
  );
});
