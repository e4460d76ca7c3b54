import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import type { Images } from '../../data/idx.ts';
import { chooseBackend } from '../../machine/backend.ts';
import { bytesOf, deviceRows, pickRows } from './images.ts';

beforeAll(async () => {
  await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false });
});

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

test('a batch holds the images that it names, in its order', async () => {
  const rows = tf.tensor2d([0, 1, 10, 11, 20, 21], [3, 2]);
  expect(await pickRows(rows, Int32Array.of(2, 0, 2)).array()).toEqual([
    [20, 21],
    [0, 1],
    [20, 21],
  ]);
});
