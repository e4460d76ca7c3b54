import fc from 'fast-check';
import { expect, test } from 'vitest';
import { imageLines, imageSize, shrinkToFit } from './pixel-image.ts';

const CHECKS = {
  width: 4,
  height: 4,
  pixels: Uint8Array.from([255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255]),
};

test('with colors, each character shows two pixels in two grays; without colors, each character shows two pixels as one shade', () => {
  const [first] = imageLines(CHECKS, 1, { color: true, ascii: false });
  expect(first).toEqual([
    { text: '▀▀', grays: [23, 0] },
    { text: '▀▀', grays: [0, 23] },
  ]);
  const plain = imageLines(CHECKS, 1, { color: false, ascii: true });
  expect(plain.map((segments) => segments.map(({ text }) => text).join(''))).toEqual(['++++', '++++']);
});

test('an image that is larger than the given columns and lines is shrunk to fit', () => {
  const size = fc.integer({ min: 1, max: 300 });
  fc.assert(
    fc.property(
      size,
      size,
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 60 }),
      (width, height, columns, lines) => {
        const image = { width, height, pixels: new Uint8Array(width * height) };
        const drawn = imageSize(image, shrinkToFit(image, columns, lines));
        expect(drawn.columns).toBeLessThanOrEqual(columns);
        expect(drawn.lines).toBeLessThanOrEqual(lines);
      },
    ),
  );
});
