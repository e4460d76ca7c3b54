import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Images } from '../../data/idx.ts';
import { loadImages } from '../../data/load.ts';
import { chooseTestBackend } from '../backend.fixture.ts';
import { bytesOf, deviceRows, onDevice, trainImages } from './images.ts';

let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trawl-images-test-'));
  await chooseTestBackend();
});

afterAll(() => rm(dataDir, { recursive: true, force: true }));

/** Image by image all bytes in turn, over and over. */
function imagesOf(count: number): Images {
  const pixels = Uint8Array.from({ length: count * 784 }, (_, i) => i % 256);
  return { count, rows: 28, columns: 28, pixels };
}

test('pixels are scaled to [-1, 1]: x / 127.5 - 1', async () => {
  const rows = deviceRows(imagesOf(1), 0, 1);
  expect(rows.shape).toEqual([1, 784]);
  const scaled = await rows.data<'float32'>();
  expect([scaled[0], scaled[255]]).toEqual([-1, 1]);
  for (const [byte, expected] of [
    [51, -0.6],
    [102, -0.2],
    [127, -1 / 255],
    [128, 1 / 255],
    [204, 0.6],
  ] as const)
    expect(scaled[byte]).toBeCloseTo(expected, 7);
});

test('a part of the images comes out as that part, and back as the bytes that it was', async () => {
  const images = imagesOf(5);
  const rows = deviceRows(images, 2, 4);
  expect(rows.shape).toEqual([2, 784]);
  expect(await bytesOf(tf.transpose(rows))).toEqual(images.pixels.subarray(2 * 784, 4 * 784));
});

test('outputs between two bytes are rounded to the nearer, and none leaves 0..255', async () => {
  const outputs = tf.tensor2d([-1.5, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 0.999, 1, 1.5], [6, 1]);
  expect(await bytesOf(outputs)).toEqual(Uint8Array.of(0, 0, 1, 255, 255, 255));
});

test('a batch holds the images that it names, in its order, from the file or from the device', async () => {
  const { train } = await loadImages('mnist', dataDir);
  const batch = Int32Array.of(2, 0, 2, 9);
  const expected = Float32Array.from(train.read(batch), (byte) => byte / 127.5 - 1);
  const before = tf.memory().numTensors;
  for (const images of [trainImages(train, 10), onDevice(train, 10)]) {
    const rows = images.pick(batch);
    expect(rows.shape).toEqual([4, 784]);
    expect(await rows.data()).toEqual(expected);
    rows.dispose();
    images.dispose();
  }
  expect(tf.memory().numTensors).toBe(before);
});
