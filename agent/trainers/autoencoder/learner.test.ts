import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseBackend } from '../../machine/backend.ts';
import { Learner } from './learner.ts';
import { normals } from './normal.ts';
import { Random, STREAMS } from './random.ts';
import { ReferenceNetwork } from './reference-network.fixture.ts';
import { type Settings, settingsOf } from './settings.ts';

const SEED = 4;

beforeAll(async () => {
  await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false });
});

const settingsWith = (given: Record<string, number | boolean>): Settings =>
  settingsOf(withDefaults(TRAINERS.autoencoder, given));

/** Images that look like digits to a network: mostly -1, with some strokes. */
function images(count: number, seed: number): Float32Array {
  const random = new Random(seed, STREAMS.shuffle);
  return Float32Array.from({ length: count * 784 }, () => (random.uniform() < 0.8 ? -1 : 2 * random.uniform() - 1));
}

function noisy(clean: Float32Array, std: number, random: Random): Float32Array {
  const noise = normals(clean.length, std, random);
  return clean.map((pixel, i) => Math.min(1, Math.max(-1, Math.fround(pixel + (noise[i] ?? 0)))));
}

const CASES: readonly Record<string, number | boolean>[] = [
  { depth: 3, latent_dim: 15, lambda_l1: 1e-5, weight_decay: 1e-5 },
  { depth: 3, latent_dim: 15, lambda_l1: 1e-5, weight_decay: 1e-5, noise_std: 0.5 },
  { depth: 5, latent_dim: 30, lambda_l1: 1e-7, weight_decay: 1e-7 },
  { depth: 3, latent_dim: 100, learning_rate: 0.0005, weight_decay: 0.01, lambda_l1: 0.001, l1_in_gradient: false },
];

describe.each(CASES)('against a float64 implementation: %o', (given) => {
  test('three steps, the last on a short batch, have its losses and its weights', async () => {
    const settings = settingsWith(given);
    const learner = new Learner([{ settings, seed: SEED }]);
    const reference = new ReferenceNetwork(settings, await learner.parametersOf(0));
    const noise = new Random(SEED, STREAMS.trainNoise);

    for (const [step, batch] of [8, 8, 3].entries()) {
      const clean = images(batch, step);
      const input = settings.noiseStd > 0 ? noisy(clean, settings.noiseStd, noise) : clean;
      const [mse = Number.NaN, l1 = Number.NaN] = await learner.step(tf.tensor2d(clean, [batch, 784])).data();
      const expected = reference.step(input, clean, batch);
      expect(Math.abs(mse / expected.mse - 1)).toBeLessThan(1e-5);
      expect(Math.abs((mse + l1) / (expected.mse + expected.l1) - 1)).toBeLessThan(1e-5);
    }
    // A dozen weights of half a million differ at all: those whose gradient is as small as Adam's epsilon.
    expect(reference.largestDifference(await learner.parametersOf(0))).toBeLessThan(1e-4);
    learner.dispose();
  });
});

test('with l1_in_gradient false the L1 term is in the loss and not in the weights', async () => {
  const after = async (given: Record<string, number | boolean>) => {
    const learner = new Learner([{ settings: settingsWith(given), seed: SEED }]);
    const losses = await learner.step(tf.tensor2d(images(4, 1), [4, 784])).data();
    const weights = await learner.parametersOf(0);
    learner.dispose();
    return { l1: losses[1], weights };
  };
  const without = await after({ lambda_l1: 0 });
  const reported = await after({ lambda_l1: 1e-3, l1_in_gradient: false });
  const trained = await after({ lambda_l1: 1e-3 });
  expect(without.l1).toBe(0);
  expect(reported.l1).toBe(trained.l1);
  expect(reported.l1).toBeGreaterThan(1);
  expect(reported.weights.every((weight, i) => weight === without.weights[i])).toBe(true);
  expect(trained.weights.every((weight, i) => weight === without.weights[i])).toBe(false);
});

test('three hundred steps leave no tensor behind', () => {
  const before = tf.memory().numTensors;
  const settings = settingsWith({ latent_dim: 2, noise_std: 0.5, lambda_l1: 1e-5, weight_decay: 1e-5 });
  const learner = new Learner([{ settings, seed: SEED }]);
  const batch = tf.tensor2d(images(1, 1), [1, 784]);
  learner.step(batch).dispose();
  const during = tf.memory().numTensors;
  for (let i = 0; i < 300; i++) learner.step(batch).dispose();
  expect(tf.memory().numTensors).toBe(during);
  learner.dispose();
  batch.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
