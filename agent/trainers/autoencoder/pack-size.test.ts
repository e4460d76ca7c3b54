import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseTestBackend } from '../backend.fixture.ts';
import { Learner } from './learner.ts';
import { layersOf, PIXELS } from './model.ts';
import { fastestPack, measuredRate, memberBytes, packThatFits } from './pack-size.ts';
import { settingsOf } from './settings.ts';

beforeAll(async () => {
  await chooseTestBackend();
});

const GIB = 2 ** 30;
const TEST_IMAGES = 10_000 * PIXELS * 4;

describe.each([
  { depth: 3, latent_dim: 30, batch_size: 64 },
  { depth: 5, latent_dim: 100, batch_size: 64 },
] as const)('the memory model for depth $depth and batches of $batch_size', (given) => {
  // Single operations keep all of their tensors until the end of a step, and a graph does not.
  test('estimates 50 to 100% of the peak that is measured in a step of single operations', {
    timeout: 60_000,
  }, async () => {
    const settings = settingsOf(withDefaults(TRAINERS.autoencoder, { ...given, noise_std: 0.5 }));
    const members = [0, 1].map((seed) => ({ settings: { ...settings, learningRate: 1e-3 * (seed + 1) }, seed }));
    const learner = new Learner(members, 'stacked');
    const batch: tf.Tensor2D = tf.zeros([2 * settings.batchSize, PIXELS]);
    const { peakBytes } = await tf.profile(() => learner.step(batch));
    batch.dispose();
    learner.dispose();
    const model = memberBytes(layersOf(given.depth, given.latent_dim), given.batch_size) - TEST_IMAGES;
    const peak = peakBytes / members.length;
    expect(model).toBeGreaterThan(peak / 2);
    expect(model).toBeLessThan(peak);
  });
});

test('a pack has as many trials as fit into the memory, up to a maximum, but at least one', () => {
  const sizes = [0, 1, 2, 8, 16, 80].map((gib) => packThatFits(gib * GIB, 'pack-graph'));
  expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  expect(sizes.at(0)).toBe(1);
  expect(sizes.at(-1)).toBe(64);
  expect(packThatFits(undefined, 'pack-graph')).toBe(1);
  const four = packThatFits(4 * GIB, 'pack-graph');
  expect(four).toBeGreaterThan(8);
  expect(four * memberBytes(layersOf(5, 100), 64)).toBeLessThan(4 * GIB);
  const stacked = packThatFits(4 * GIB, 'stacked');
  expect(stacked).toBeGreaterThan(1);
  expect(stacked).toBeLessThanOrEqual(four / 2);
});

describe('the fastest pack', () => {
  const tried: number[] = [];
  const warnings: string[] = [];
  const fastest = (most: number, rate: (pack: number) => number) => {
    tried.length = 0;
    warnings.length = 0;
    const measure = async (pack: number) => {
      tried.push(pack);
      return rate(pack);
    };
    return fastestPack(most, measure, (warning) => warnings.push(warning));
  };

  test('is the smallest one for which doubling the size raises the rate by less than a tenth', async () => {
    expect(await fastest(256, (pack) => Math.min(pack, 20))).toBe(32);
    expect(tried).toEqual([1, 4, 8, 16, 32, 64]);
  });

  test('is the largest one that fits if the rate increases up to this size', async () => {
    expect(await fastest(50, (pack) => pack)).toBe(50);
    expect(tried).toEqual([1, 4, 8, 16, 32, 50]);
    expect(await fastest(3, (pack) => pack)).toBe(3);
  });

  test('is the last measured size if the next size cannot be measured; a warning gives the reason', async () => {
    const rate = (pack: number) => {
      if (pack > 16) throw new Error('no kernel for the GPU');
      return pack;
    };
    expect(await fastest(256, rate)).toBe(16);
    expect(warnings).toEqual([
      'packs of 32 are not used, because their speed could not be measured: no kernel for the GPU',
    ]);
  });

  test('is a single trial if not even a single trial can be measured', async () => {
    const rate = () => {
      throw new Error('OOM');
    };
    expect(await fastest(256, rate)).toBe(1);
    expect(tried).toEqual([1]);
    expect(warnings).toHaveLength(1);
  });

  test('is a single trial if packs are no faster, or if only one fits', async () => {
    expect(await fastest(256, () => 5)).toBe(1);
    expect(await fastest(1, (pack) => pack)).toBe(1);
    expect(tried).toEqual([]);
  });
});

test('the rate of a pack is measured on the device of the process, and no tensor is left', {
  timeout: 60_000,
}, async () => {
  const before = tf.memory().numTensors;
  expect(await measuredRate(2)).toBeGreaterThan(0);
  expect(tf.memory().numTensors).toBe(before);
});
