import { createHash } from 'node:crypto';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ImageFile } from './image-file.ts';

/** Three images of 2x2. */
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

test('images are read in any order, and again', async () => {
  const images = await ImageFile.open(path, FILE);
  expect([images.count, images.rows, images.columns]).toEqual([3, 2, 2]);
  expect([...images.read(Int32Array.of(2, 0, 2))]).toEqual([9, 10, 11, 12, 1, 2, 3, 4, 9, 10, 11, 12]);
  await images.close();
});

test('another file, or one that is cut off later, is refused by name', async () => {
  await expect(ImageFile.open(path, { ...FILE, sha256: '0' })).rejects.toThrow(`${path} has SHA-256`);
  await expect(ImageFile.open(path, { ...FILE, bytes: 3 })).rejects.toThrow(`${path} has 28 bytes, expected 3`);
  const images = await ImageFile.open(path, FILE);
  await truncate(path, 20);
  expect(() => images.read(Int32Array.of(1))).toThrow(`${path} ended before image 1`);
  await images.close();
});
