import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import type { Images } from '../../data/idx.ts';
import { loadImages } from '../../data/load.ts';
import { chooseTestBackend } from '../backend.fixture.ts';
import { batchesOf, bytesOf, deviceRows, groupsOf, onDevice, trainImages, withNoise } from './images.ts';
import { Random, STREAMS } from './random.ts';
import { settingsOf } from './settings.ts';

let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trawl-images-test-'));
  await chooseTestBackend();
});

afterAll(() => rm(dataDir, { recursive: true, force: true }));

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

test('converting a range of images to a tensor and back preserves their bytes', async () => {
  const images = imagesOf(5);
  const rows = deviceRows(images, 2, 4);
  expect(rows.shape).toEqual([2, 784]);
  expect(await bytesOf(tf.transpose(rows))).toEqual(images.pixels.subarray(2 * 784, 4 * 784));
});

test('outputs are rounded to the nearest byte and limited to 0..255', async () => {
  const outputs = tf.tensor2d([-1.5, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 0.999, 1, 1.5], [6, 1]);
  expect(await bytesOf(outputs)).toEqual(Uint8Array.of(0, 0, 1, 255, 255, 255));
});

test('a batch contains the requested images in order, whether they are read from the file or held on the device', async () => {
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

beforeAll(async () => {
  await chooseTestBackend();
});

const trainNoise = () => new Random(9, STREAMS.trainNoise);

test('noisy pixels are clamped to [-1, 1], and the share of clamped pixels is as expected', async () => {
  const noisy = await withNoise(tf.zeros([64, 784]), [{ std: 2, random: trainNoise() }]).data<'float32'>();
  expect(noisy.every((pixel) => pixel >= -1 && pixel <= 1)).toBe(true);
  const clamped = noisy.filter((pixel) => Math.abs(pixel) === 1).length / noisy.length;
  expect(clamped).toBeCloseTo(0.617, 1.9);
});

test('without clamping, the noise has the requested standard deviation', async () => {
  const noisy = await withNoise(tf.fill([640, 784], 0.25), [{ std: 0.1, random: trainNoise() }]).data<'float32'>();
  const variance = noisy.reduce((sum, pixel) => sum + (pixel - 0.25) ** 2, 0) / noisy.length;
  expect(Math.sqrt(variance)).toBeCloseTo(0.1, 3);
});

test('each call draws new noise, and the seed determines the noise of all calls', async () => {
  const rows: tf.Tensor2D = tf.zeros([2, 784]);
  const [one, other] = [trainNoise(), trainNoise()];
  const first = await withNoise(rows, [{ std: 0.5, random: one }]).data<'float32'>();
  const second = await withNoise(rows, [{ std: 0.5, random: one }]).data<'float32'>();
  expect(second).not.toEqual(first);
  expect(await withNoise(rows, [{ std: 0.5, random: other }]).data<'float32'>()).toEqual(first);
  expect(await withNoise(rows, [{ std: 0.5, random: other }]).data<'float32'>()).toEqual(second);
});

const upTo = (count: number) => Int32Array.from({ length: count }, (_, i) => i);

test('an epoch of the study has 938 steps: 937 steps of 64 images and one step of 32 images', () => {
  const { batchSize, trainSize } = settingsOf(withDefaults(TRAINERS.autoencoder, {}));
  const sizes = [...batchesOf([upTo(trainSize)], batchSize)].map(({ length }) => length);
  expect(sizes).toEqual([...Array(937).fill(64), 32]);
});

test('every image is in one batch, in order, and only the last batch can be short', () => {
  fc.assert(
    fc.property(fc.nat({ max: 500 }), fc.integer({ min: 1, max: 600 }), (images, size) => {
      const batches = [...batchesOf([upTo(images)], size)];
      expect(batches.flatMap((batch) => [...batch])).toEqual([...upTo(images)]);
      expect(batches.slice(0, -1).every(({ length }) => length === size)).toBe(true);
    }),
  );
});

test('each step of a pack has one batch per member, in the order of the members', () => {
  const orders = [Int32Array.of(0, 1, 2), Int32Array.of(2, 0, 1)];
  expect([...batchesOf(orders, 2)].map((batch) => [...batch])).toEqual([
    [0, 1, 2, 0],
    [2, 1],
  ]);
});

test('consecutive batches are grouped, up to the current maximum per group; a short batch has its own group', () => {
  const batches = [...batchesOf([upTo(11)], 2)];
  let most = 1;
  const groups = [];
  for (const group of groupsOf(batches, () => most)) {
    groups.push(group.map(({ length }) => length));
    most = 3;
  }
  expect(groups).toEqual([[2], [2, 2, 2], [2], [1]]);
  expect([...groupsOf([], () => 4)]).toEqual([]);
});
