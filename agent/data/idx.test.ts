import { createHash } from 'node:crypto';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ImageFile, parseImages } from './idx.ts';

function file(magic: number, count: number, rows: number, columns: number, pixels: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + pixels.length);
  const header = new DataView(bytes.buffer);
  for (const [i, value] of [magic, count, rows, columns].entries()) header.setUint32(4 * i, value);
  bytes.set(pixels, 16);
  return bytes;
}

test('parsing a file gives the images that were written to it', () => {
  const side = fc.integer({ min: 1, max: 6 });
  fc.assert(
    fc.property(fc.nat({ max: 5 }), side, side, (count, rows, columns) => {
      const pixels = Uint8Array.from({ length: count * rows * columns }, (_, i) => i);
      expect(parseImages('x', file(0x803, count, rows, columns, pixels))).toEqual({ count, rows, columns, pixels });
    }),
  );
});

test('a file is rejected if its length does not match its header, and the error names the file', () => {
  const whole = file(0x803, 2, 3, 3, new Uint8Array(18));
  expect(() => parseImages('train-images', whole.subarray(0, 33))).toThrow(
    'train-images: 33 bytes, expected 34 for 2 images of 3x3',
  );
  expect(() => parseImages('train-images', Uint8Array.of(...whole, 0))).toThrow('train-images: 35 bytes, expected 34');
  expect(() => parseImages('train-images', whole.subarray(0, 10))).toThrow(
    'train-images: 10 bytes, expected an IDX header',
  );
});

test('a file of labels cannot be parsed as a file of images', () => {
  expect(() => parseImages('labels', file(0x801, 2, 3, 3, new Uint8Array(18)))).toThrow(
    'labels: starts with 0x00000801, expected 0x00000803',
  );
});

describe('an IDX file of images', () => {
  const BYTES = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
  const FILE = { name: 'images', bytes: BYTES.length, sha256: createHash('sha256').update(BYTES).digest('hex') };
  let dir: string;
  let path: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'trawl-image-file-test-'));
    path = join(dir, 'images');
    await writeFile(path, BYTES);
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test('images can be read in any order and repeatedly', async () => {
    const images = await ImageFile.open(path, FILE);
    expect([images.count, images.rows, images.columns]).toEqual([3, 2, 2]);
    expect([...images.read(Int32Array.of(2, 0, 2))]).toEqual([9, 10, 11, 12, 1, 2, 3, 4, 9, 10, 11, 12]);
    await images.close();
  });

  test('a file that has a wrong checksum or size, or is truncated while it is open, gives an error that contains its path', async () => {
    await expect(ImageFile.open(path, { ...FILE, sha256: '0' })).rejects.toThrow(`${path} has SHA-256`);
    await expect(ImageFile.open(path, { ...FILE, bytes: 3 })).rejects.toThrow(`${path} has 28 bytes, expected 3`);
    const images = await ImageFile.open(path, FILE);
    await truncate(path, 20);
    expect(() => images.read(Int32Array.of(1))).toThrow(`${path} ends before image 1`);
    await images.close();
  });
});
