import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Parameters, TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseTestBackend } from '../backend.fixture.ts';
import { recordedRun } from '../run.fixture.ts';
import { loadFewTestImages } from './few-test-images.fixture.ts';
import { Learner } from './learner.ts';
import { normals, Random, STREAMS } from './random.ts';
import { settingsOf } from './settings.ts';
import { autoencoder } from './train.ts';

const SEED = 7;
const EPOCHS = 2;
const IMAGES = 100;
let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trawl-replay-test-'));
  await chooseTestBackend();
});

afterAll(() => rm(dataDir, { recursive: true, force: true }));

function scaled(pixels: Uint8Array): tf.Tensor2D {
  const rows = new Float32Array(pixels.length);
  for (let i = 0; i < rows.length; i++) {
    rows[i] = (pixels[i] ?? 0) / 127.5 - 1;
  }
  return tf.tensor2d(rows, [pixels.length / 784, 784]);
}

/** Trains the epochs step by step with one learner, independently of the trainer. */
async function trainStepByStep(parameters: Parameters) {
  const settings = settingsOf(parameters);
  const { train, test: tested } = await loadFewTestImages('mnist', dataDir);
  const learner = new Learner([{ settings, seed: SEED }]);
  const shuffles = new Random(SEED, STREAMS.shuffle);
  const order = Int32Array.from({ length: IMAGES }, (_, i) => i);
  const target = scaled(tested.pixels);
  const draws = normals(tested.count * 784, settings.noiseStd, new Random(SEED, STREAMS.testNoise));
  const noisy = tf.clipByValue<tf.Tensor2D>(tf.add(target, tf.tensor2d(draws, [tested.count, 784])), -1, 1);
  const input = tf.transpose(noisy);
  const epochs = [];
  for (let epoch = 1; epoch <= EPOCHS; epoch++) {
    shuffles.shuffle(order);
    const [whole = 0, wholeL1 = 0] = await learner.step(scaled(train.read(order.subarray(0, 64)))).data();
    const [short = 0, shortL1 = 0] = await learner.step(scaled(train.read(order.subarray(64)))).data();
    const output = tf.tidy(() => learner.reconstruct(0, input));
    const squares = tf.tidy(() => tf.sum(tf.squaredDifference(tf.transpose(output), target), 1));
    const testLoss = (await squares.data<'float32'>()).reduce((sum, image) => sum + image, 0) / (tested.count * 784);
    epochs.push({
      train_loss: (64 * whole + 36 * short) / 100,
      train_total_loss: (64 * (whole + wholeL1) + 36 * (short + shortL1)) / 100,
      last_batch_loss: short,
      test_loss: testLoss,
      psnr: 20 * Math.log10(2) - 10 * Math.log10(testLoss),
      psnr_peak1: -10 * Math.log10(testLoss),
    });
  }
  return epochs;
}

test.each([
  ['plain', {}],
  ['denoising', { noise_std: 0.5 }],
])(
  '%s: each epoch has a new shuffle, each batch has new noise, and the evaluation uses all test images',
  { timeout: 120_000 },
  async (_, given) => {
    const parameters = withDefaults(TRAINERS.autoencoder, {
      latent_dim: 15,
      train_size: IMAGES,
      epochs: EPOCHS,
      lambda_l1: 1e-5,
      weight_decay: 1e-5,
      ...given,
    });
    const run = recordedRun({ parameters, seed: SEED, dataDir });
    await autoencoder(run, loadFewTestImages);
    const expected = await trainStepByStep(parameters);
    expect(run.reports).toHaveLength(EPOCHS);
    for (const [at, metrics] of expected.entries())
      for (const [name, value] of Object.entries(metrics))
        expect(run.reports[at]?.metrics[name], `${name} of epoch ${at + 1}`).toBeCloseTo(value, 5);
    expect(run.reports.map(({ metrics }) => metrics.last_batch_loss)).toEqual(
      expected.map(({ last_batch_loss: loss }) => loss),
    );
  },
);
