import fc from 'fast-check';
import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { columnsOf } from '../../lib/text/width.ts';
import { showImage, transmitImage } from '../terminal-escapes.ts';
import { ascii } from './ascii.ts';
import { BrailleCanvas } from './braille.ts';
import { imageLines, imageSize, shrinkToFit } from './pixel-image.ts';
import { plot } from './plot.ts';
import { sparkline } from './text-charts.ts';

test('a sparkline spans the lowest to the highest block, with gaps for NaN', () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).toBe('▁▂▃▄▅▆▇█');
  expect(sparkline([1, Number.NaN, 0], 8)).toBe('█ ▁');
  expect(sparkline([3, 3], 8)).toBe('▁▁');
  expect(sparkline([], 8)).toBe('');
});

test('a sparkline with more values than columns keeps the first and the last value', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  const drawn = sparkline(values, 5);
  expect(drawn).toHaveLength(5);
  expect([drawn[0], drawn[4]]).toEqual(['█', '▁']);
});

test('a braille line goes from corner to corner', () => {
  const canvas = new BrailleCanvas(2, 1);
  canvas.stroke(0, 3, 3, 0, 0);
  const text = canvas.line(0).map((segment) => segment.text);
  expect(text.join('')).toBe('⡠⠊');
});

test('a plot draws a single value and equal values, and reports when no value is finite', () => {
  const of = (points: [number, number][]) =>
    plot('t', [{ name: 'a', points }], 30, 6).flatMap(({ segments }) => segments);
  for (const points of [
    [[1, 5]],
    [
      [1, 5],
      [2, 5],
    ],
  ] as [number, number][][]) {
    expect(
      of(points)
        .map(({ text }) => text)
        .join(''),
    ).toMatch(/[\u2801-\u28ff]/);
  }
  expect(
    of([[1, Number.NaN]])
      .map(({ text }) => text)
      .join(''),
  ).toContain('no values yet');
});

test('ASCII replacements keep the width', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const plain = ascii(text);
      expect(plain).toMatch(/^[\0-\x7f]*$/);
      if (!/\p{Cc}|\p{Cf}|\p{M}/u.test(text)) expect(stringWidth(plain)).toBe(stringWidth(text));
    }),
  );
});

test('the fast width function agrees with string-width', () => {
  const unit = fc.constantFrom(...'aZ ~·±×…─│┤█▓▒░▀▁▲▼▸▾★●→⠀⣿漢é', '👩‍👩‍👧');
  fc.assert(
    fc.property(fc.string({ unit }), (text) => {
      expect(columnsOf(text)).toBe(stringWidth(text));
    }),
  );
});

const CHECKS = {
  width: 4,
  height: 4,
  pixels: Uint8Array.from([255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255]),
};

test('two pixels share a character: two greys with colours, one shade without', () => {
  const [first] = imageLines(CHECKS, 1, { colour: true, ascii: false });
  expect(first?.segments).toEqual([
    { text: '▀▀', greys: [23, 0] },
    { text: '▀▀', greys: [0, 23] },
  ]);
  const plain = imageLines(CHECKS, 1, { colour: false, ascii: true });
  expect(plain.map(({ segments }) => segments.map(({ text }) => text).join(''))).toEqual(['++++', '++++']);
});

test('an image is shrunk until it fits', () => {
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

test('a PNG is sent in chunks that add up to the whole file', () => {
  const png = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
  const chunks = transmitImage(7, png).split('\u001b\\').filter(Boolean);
  expect(chunks[0]).toSatisfy((chunk: string) => chunk.startsWith('\u001b_Ga=t,f=100,q=2,i=7,m=1;'));
  expect(chunks.at(-1)).toSatisfy((chunk: string) => chunk.startsWith('\u001b_Gq=2,m=0;'));
  const payload = chunks.map((chunk) => chunk.slice(chunk.indexOf(';') + 1)).join('');
  expect(Uint8Array.from(Buffer.from(payload, 'base64'))).toEqual(png);
  expect(showImage(7, { row: 3, column: 2, columns: 40, lines: 6 })).toContain('\u001b[3;2H');
});
