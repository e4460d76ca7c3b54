import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import type { Images } from '../../data/idx.ts';
import { chooseTestBackend } from '../backend.fixture.ts';
import { TestImages, TestSet } from './evaluation.ts';
import { normals, Random, STREAMS } from './random.ts';

beforeAll(async () => {
  await chooseTestBackend();
});

const SEED = 11;
const testNoise = () => new Random(SEED, STREAMS.testNoise);
const noPause = () => Promise.resolve();

/** The images need more than two forward passes, and do not fill the last pass. */
const COUNT = 1_203;
const random = new Random(SEED, STREAMS.shuffle);
const images: Images = {
  count: COUNT,
  rows: 28,
  columns: 28,
  pixels: Uint8Array.from({ length: COUNT * 784 }, () => Math.floor(random.uniform() * 256)),
};
const clean = Float64Array.from(images.pixels, (byte) => byte / 127.5 - 1);

const testSetWith = (std: number) => new TestSet(new TestImages(images), { std, random: testNoise() });

function meanSquare(error: (pixel: number, i: number) => number): number {
  return clean.reduce((sum, pixel, i) => sum + error(pixel, i) ** 2, 0) / clean.length;
}

test('the loss is the mean of the squared errors over every pixel of every image', async () => {
  const testSet = testSetWith(0);
  expect(await testSet.loss((input) => input, noPause)).toBe(0);
  const half = await testSet.loss((input) => tf.mul(input, 0.5), noPause);
  expect(Math.abs(half / meanSquare((pixel) => 0.5 * pixel) - 1)).toBeLessThan(1e-6);
});

test('with noise, outputs are compared with the clean images, and every evaluation uses the same noise', async () => {
  const testSet = testSetWith(0.5);
  const noise = normals(clean.length, 0.5, testNoise());
  const expected = meanSquare((pixel, i) => Math.min(1, Math.max(-1, pixel + (noise[i] ?? 0))) - pixel);
  const first = await testSet.loss((input) => input, noPause);
  expect(Math.abs(first / expected - 1)).toBeLessThan(1e-5);
  expect(await testSet.loss((input) => input, noPause)).toBe(first);
});

test('the loss hardly depends on the number of images per pass', async () => {
  const lossWith = (chunk?: number) =>
    new TestSet(new TestImages(images, chunk), { std: 0.5, random: testNoise() }).loss(
      (input) => tf.mul(input, 0.5),
      noPause,
    );
  expect(Math.abs((await lossWith(10_000)) / (await lossWith()) - 1)).toBeLessThan(1e-6);
});

test('single images can be selected from any chunk', async () => {
  const testSet = testSetWith(0);
  const picked = await testSet.inputsAt([COUNT - 1, 0, 500]).data<'float32'>();
  for (const [column, image] of [COUNT - 1, 0, 500].entries())
    for (let i = 0; i < 784; i++) expect(picked[i * 3 + column]).toBe(Math.fround(clean[image * 784 + i] ?? 0));
});

test('a test set leaks no tensor', async () => {
  const before = tf.memory().numTensors;
  const testImages = new TestImages(images);
  const testSet = new TestSet(testImages, { std: 0.5, random: testNoise() });
  await testSet.loss((input) => tf.mul(input, 0.5), noPause);
  testSet.dispose();
  testImages.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
