/** Compares steps of the trainer on the backend of this process with the same steps in float64. */
import * as tf from '@tensorflow/tfjs-core';
import { type Parameters, TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import type { Strategy } from './engine.ts';
import { Learner } from './learner.ts';
import { normals, Random, STREAMS } from './random.ts';
import { ReferenceNetwork } from './reference-network.fixture.ts';
import { settingsOf } from './settings.ts';

const SEED = 4;

/**
 * The cases cover the two depths of the study (docs/study.md), denoising, and non-default values of parameters that the
 * study leaves at their defaults.
 */
export const CASES = [
  { depth: 3, latent_dim: 15, lambda_l1: 1e-5, weight_decay: 1e-5 },
  { depth: 3, latent_dim: 15, lambda_l1: 1e-5, weight_decay: 1e-5, noise_std: 0.5 },
  { depth: 5, latent_dim: 30, lambda_l1: 1e-7, weight_decay: 1e-7 },
  { depth: 3, latent_dim: 100, learning_rate: 0.0005, weight_decay: 0.01, lambda_l1: 0.001, l1_in_gradient: false },
] as const satisfies readonly Parameters[];

/**
 * The relative differences between the trainer and the float64 reference, for each step. The last step has a short
 * batch.
 */
export type StepDifferences = readonly {
  readonly mse: number;
  readonly l1: number;
  readonly total: number;
  /** The largest difference in any weight or bias tensor, relative to the largest value of that tensor. */
  readonly weights: number;
}[];

/** @param strategy the strategy to compare; by default, the strategy of the backend */
export async function compareSteps(given: Parameters, strategy?: Strategy): Promise<StepDifferences> {
  const settings = settingsOf(withDefaults(TRAINERS.autoencoder, given));
  const learner = new Learner([{ settings, seed: SEED }], strategy);
  const reference = new ReferenceNetwork(settings, await learner.parametersOf(0));
  const noise = new Random(SEED, STREAMS.trainNoise);
  const comparison: StepDifferences[number][] = [];
  for (const [step, images] of [8, 8, 3].entries()) {
    const target = strokes(images, step);
    const input = settings.noiseStd > 0 ? noisy(target, settings.noiseStd, noise) : target;
    const [mse = Number.NaN, l1 = Number.NaN] = await learner.step(tf.tensor2d(target, [images, 784])).data();
    const expected = reference.step({ input, target, images });
    comparison.push({
      mse: Math.abs(mse / expected.mse - 1),
      l1: Math.abs(l1 / expected.l1 - 1),
      total: Math.abs((mse + l1) / (expected.mse + expected.l1) - 1),
      weights: largestDifference(reference, await learner.parametersOf(0)),
    });
  }
  learner.dispose();
  return comparison;
}

/** Returns images whose pixel values resemble those of digits: most pixels are -1, and the others are random. */
export function strokes(count: number, seed: number): Float32Array {
  const random = new Random(seed, STREAMS.shuffle);
  return Float32Array.from({ length: count * 784 }, () => (random.uniform() < 0.8 ? -1 : 2 * random.uniform() - 1));
}

function noisy(clean: Float32Array, std: number, random: Random): Float32Array {
  const noise = normals(clean.length, std, random);
  return clean.map((pixel, i) => Math.min(1, Math.max(-1, Math.fround(pixel + (noise[i] ?? 0)))));
}

function largestDifference({ bounds, parameters: expected }: ReferenceNetwork, found: ArrayLike<number>): number {
  const parts = bounds.slice(0, -1).map((from, part) => {
    let [largest, off] = [0, 0];
    for (let i = from; i < (bounds[part + 1] ?? 0); i++) {
      const value = expected[i] ?? Number.NaN;
      largest = Math.max(largest, Math.abs(value));
      off = Math.max(off, Math.abs(value - (found[i] ?? Number.NaN)));
    }
    return off / largest;
  });
  return Math.max(...parts);
}
