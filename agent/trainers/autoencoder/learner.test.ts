import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { FIXTURE_LIMIT_MS, runFixture } from '../../../test/support/run-fixture.ts';
import { type BackendName, chooseBackend } from '../../machine/backend.ts';
import { probeBackends } from '../../machine/probe.ts';
import { CASES, compareSteps, type StepDifferences, strokes } from './compare-steps.fixture.ts';
import type { Strategy } from './engine.ts';
import { Learner } from './learner.ts';
import { type Settings, settingsOf } from './settings.ts';

const SEED = 4;
/** Longer than the fixture's own limit, so that a fixture that takes too long fails with an error that names it. */
const BACKEND_LIMIT_MS = FIXTURE_LIMIT_MS + 30_000;

beforeAll(async () => {
  await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false });
});

const settingsWith = (given: Record<string, number | boolean>): Settings =>
  settingsOf(withDefaults(TRAINERS.autoencoder, given));

const loadable = (await probeBackends()).filter(({ loads }) => loads).map(({ name }) => name);

/**
 * The backends to test. libtensorflow is tested three times: with its default strategy, with single operations, and
 * with the graph for GPUs.
 */
const variants = loadable.flatMap((backend): { readonly backend: BackendName; readonly strategy?: Strategy }[] =>
  backend === 'tensorflow'
    ? [{ backend }, { backend, strategy: 'stacked' }, { backend, strategy: 'pack-graph' }]
    : [{ backend }],
);

describe.each(variants)('training steps on $backend $strategy', ({ backend, strategy }) => {
  let comparisons: readonly StepDifferences[];

  beforeAll(async () => {
    // Two copies of libtensorflow cannot share a process, so each backend except wasm runs in a separate process.
    const program = new URL('./compare-on-backend.fixture.ts', import.meta.url);
    if (backend !== 'wasm')
      comparisons = JSON.parse((await runFixture(program, backend, 'all', ...(strategy ? [strategy] : []))).stdout);
    else comparisons = await Promise.all(CASES.map((given) => compareSteps(given)));
  }, BACKEND_LIMIT_MS);

  test.each(CASES.map((given, i) => [JSON.stringify(given), i] as const))(
    'three steps of %s give the results of a float64 implementation',
    (_, i) => {
      const comparison = comparisons[i] ?? [];
      expect(comparison).toHaveLength(3);
      for (const { mse, l1, total, weights } of comparison) {
        for (const loss of [mse, l1, total]) expect(loss).toBeLessThan(1e-5);
        // This limit is higher, because a dozen of the half million weights differ more between the two
        // implementations. The gradients of these weights are as small as Adam's epsilon.
        expect(weights).toBeLessThan(1e-4);
      }
    },
  );
});

test('the wasm backend computes the same results in a separate process and in this process', {
  timeout: BACKEND_LIMIT_MS,
}, async () => {
  const program = new URL('./compare-on-backend.fixture.ts', import.meta.url);
  const { stdout } = await runFixture(program, 'wasm', '0');
  expect(JSON.parse(stdout)).toEqual([await compareSteps(CASES[0])]);
});

test('with l1_in_gradient false, the L1 term affects the loss but not the weights', async () => {
  const after = async (given: Record<string, number | boolean>) => {
    const learner = new Learner([{ settings: settingsWith(given), seed: SEED }]);
    const losses = await learner.step(tf.tensor2d(strokes(4, 1), [4, 784])).data();
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

test('fifty steps leak no tensor', { timeout: 120_000 }, () => {
  const before = tf.memory().numTensors;
  const settings = settingsWith({ latent_dim: 2, noise_std: 0.5, lambda_l1: 1e-5, weight_decay: 1e-5 });
  const learner = new Learner([{ settings, seed: SEED }]);
  const batch = tf.tensor2d(strokes(1, 1), [1, 784]);
  learner.step(batch).dispose();
  const during = tf.memory().numTensors;
  for (let i = 0; i < 50; i++) learner.step(batch).dispose();
  expect(tf.memory().numTensors).toBe(during);
  learner.dispose();
  batch.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
