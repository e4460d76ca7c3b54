import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { chooseTestBackend } from '../backend.fixture.ts';
import { withNoise } from './noise.ts';
import { Random, STREAMS } from './random.ts';

beforeAll(async () => {
  await chooseTestBackend();
});

const trainNoise = () => new Random(9, STREAMS.trainNoise);

test('noisy pixels stay in [-1, 1], and many reach the ends', async () => {
  const noisy = await withNoise(tf.zeros([64, 784]), [{ std: 2, random: trainNoise() }]).data<'float32'>();
  expect(noisy.every((pixel) => pixel >= -1 && pixel <= 1)).toBe(true);
  // P(|N(0, 2²)| > 1) = 0.617
  const clamped = noisy.filter((pixel) => Math.abs(pixel) === 1).length / noisy.length;
  expect(clamped).toBeCloseTo(0.617, 1.9);
});

test('where nothing is clamped, the noise has the asked standard deviation', async () => {
  const noisy = await withNoise(tf.fill([640, 784], 0.25), [{ std: 0.1, random: trainNoise() }]).data<'float32'>();
  const variance = noisy.reduce((sum, pixel) => sum + (pixel - 0.25) ** 2, 0) / noisy.length;
  expect(Math.sqrt(variance)).toBeCloseTo(0.1, 3);
});

test('each call draws fresh noise, and the seed decides it all', async () => {
  const rows: tf.Tensor2D = tf.zeros([2, 784]);
  const [one, other] = [trainNoise(), trainNoise()];
  const first = await withNoise(rows, [{ std: 0.5, random: one }]).data<'float32'>();
  const second = await withNoise(rows, [{ std: 0.5, random: one }]).data<'float32'>();
  expect(second).not.toEqual(first);
  expect(await withNoise(rows, [{ std: 0.5, random: other }]).data<'float32'>()).toEqual(first);
  expect(await withNoise(rows, [{ std: 0.5, random: other }]).data<'float32'>()).toEqual(second);
});
