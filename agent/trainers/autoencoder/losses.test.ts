import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { chooseTestBackend } from '../backend.fixture.ts';
import { LossLog, PIXEL_RANGE, psnr, testMetrics, trainMetrics } from './losses.ts';

beforeAll(async () => {
  await chooseTestBackend();
});

test('a root mean square error of a tenth of the peak has a psnr of 20 dB', () => {
  expect(psnr(0.01, 1)).toBeCloseTo(20, 12);
  expect(psnr(0.04, PIXEL_RANGE)).toBeCloseTo(20, 12);
});

test("psnr_peak1, the convention of the study's notebook, is 6.02 dB below psnr", () => {
  const metrics = testMetrics(0.0371);
  expect(metrics.psnr - metrics.psnr_peak1).toBeCloseTo(20 * Math.log10(2), 12);
  expect(metrics.psnr_peak1).toBeCloseTo(-10 * Math.log10(0.0371), 12);
});

test('train_loss weights each batch by its number of images; last_batch_loss is the loss of the last batch alone', () => {
  const steps = [
    { images: 64, mse: 0.5, l1: 0.25 },
    { images: 64, mse: 0.25, l1: 0.25 },
    { images: 32, mse: 1, l1: 0.5 },
  ];
  expect(trainMetrics(steps)).toEqual({ train_loss: 0.5, train_total_loss: 0.8, last_batch_loss: 1 });
});

test('the loss log returns the losses of each member in order, whether they were on the device or on the host', async () => {
  const before = tf.memory().numTensors;
  const log = new LossLog(2);
  await log.add(64, tf.tensor2d([1, 2, 3, 4], [2, 2]));
  await log.add(64, Float32Array.of(5, 6, 7, 8));
  await log.add(32, tf.tensor2d([9, 10, 11, 12], [2, 2]));
  await log.readBack();
  expect(log.of(0)).toEqual([
    { images: 64, mse: 1, l1: 2 },
    { images: 64, mse: 5, l1: 6 },
    { images: 32, mse: 9, l1: 10 },
  ]);
  expect(log.of(1).map(({ mse }) => mse)).toEqual([3, 7, 11]);
  log.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
