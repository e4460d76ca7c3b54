import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Parameters, TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { runFixture } from '../../../test/support/run-fixture.ts';
import { chooseTestBackend } from '../backend.fixture.ts';
import { recordedRun } from '../run.fixture.ts';
import type { TrainingRun } from '../trainer.ts';
import { loadFewTestImages } from './few-test-images.fixture.ts';
import { autoencoder } from './train.ts';

const SEED = 7;
const LIMIT_MS = 120_000;
let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trawl-train-test-'));
  await chooseTestBackend();
});

afterAll(() => rm(dataDir, { recursive: true, force: true }));

type Metrics = Record<string, number>;
const complete = (given: Parameters) => withDefaults(TRAINERS.autoencoder, given);

async function train(given: Parameters, overrides: Partial<TrainingRun> = {}): Promise<readonly Metrics[]> {
  const run = recordedRun({ parameters: complete(given), seed: SEED, dataDir, ...overrides });
  await autoencoder(run, loadFewTestImages);
  expect(run.reports.map(({ epoch }) => epoch)).toEqual(run.reports.map((_, i) => i + 1));
  return run.reports.map(({ metrics }) => metrics);
}

const denoising: Parameters = {
  latent_dim: 15,
  noise_std: 0.5,
  lambda_l1: 1e-5,
  weight_decay: 1e-5,
  train_size: 640,
  epochs: 2,
};

test('on MNIST the losses fall and psnr rises from epoch to epoch, at both depths, with and without noise', {
  timeout: LIMIT_MS,
}, async () => {
  const plain: Parameters = { train_size: 640, epochs: 2 };
  for (const given of [plain, { ...plain, depth: 5 }, denoising]) {
    const [first = {}, second = {}] = await train(given);
    for (const name of ['train_loss', 'train_total_loss', 'test_loss'])
      expect(second[name], `${name} of ${JSON.stringify(given)}`).toBeLessThan(first[name] ?? 0);
    expect(second.psnr).toBeGreaterThan(first.psnr ?? Number.POSITIVE_INFINITY);
  }
});

test('a report has the documented metrics; for denoising runs, it also has a constant psnr_input', async () => {
  const plain = ['train_loss', 'train_total_loss', 'last_batch_loss', 'test_loss', 'psnr', 'psnr_peak1'];
  const [short = {}] = await train({ train_size: 64, epochs: 1 });
  expect(Object.keys(short)).toEqual(plain);
  const [first = {}, second = {}] = await train({ ...denoising, train_size: 64 });
  expect(Object.keys(first)).toEqual([...plain, 'psnr_input']);
  expect(second.psnr_input).toBe(first.psnr_input);
  // Noise of 0.5 has a PSNR of 20 log10(2) - 10 log10(0.25) = 12.04 dB. Clamping halves the noise power on a flat
  // background.
  expect(first.psnr_input).toBeGreaterThan(12.04);
  expect(first.psnr_input).toBeLessThan(16);
});

test('with test_size, the loss covers only the first test images', { timeout: LIMIT_MS }, async () => {
  const run = recordedRun({ parameters: complete({ train_size: 64, epochs: 1, test_size: 100 }), seed: SEED, dataDir });
  await autoencoder(run);
  expect(run.reports.map(({ metrics }) => metrics)).toEqual(await train({ train_size: 64, epochs: 1 }));
});

test('a trial gives bitwise identical results in this process and in a new process', {
  timeout: LIMIT_MS,
}, async () => {
  const given = { ...denoising, train_size: 128 };
  const once = await train(given);
  expect(await train(given)).toEqual(once);
  const fixture = new URL('./one-trial.fixture.ts', import.meta.url);
  const { stdout } = await runFixture(fixture, dataDir, JSON.stringify(given));
  expect(JSON.parse(stdout)).toEqual(once);
});

test('another seed gives different results', async () => {
  const given = { train_size: 64, epochs: 1 };
  expect(await train(given, { seed: SEED + 1 })).not.toEqual(await train(given));
});

test('if the weights diverge, the attempt fails with the class nan, and the message contains the epoch', async () => {
  const failure = train({ train_size: 640, learning_rate: 1e30 });
  await expect(failure).rejects.toMatchObject({ failureClass: 'nan', message: expect.stringMatching(/^epoch 1/) });
});

test('an unsupported parameter is rejected, and the error names the parameter', async () => {
  const failure = train({ depth: 4 });
  await expect(failure).rejects.toMatchObject({
    failureClass: 'rejected',
    message: expect.stringMatching(/depth is 4/),
  });
});

test('an attempt with an unusable data folder fails in preflight', async () => {
  const failure = train({}, { dataDir: new URL(import.meta.url).pathname });
  await expect(failure).rejects.toMatchObject({ failureClass: 'preflight' });
});

test('a stopped run ends within an epoch, throws the reason for the stop, and leaks no tensor', async () => {
  const before = tf.memory().numTensors;
  const stop = new AbortController();
  const reason = new Error('the sweep was killed');
  const stopped = train({ train_size: 60_000 }, { signal: stop.signal });
  setTimeout(() => stop.abort(reason), 500);
  await expect(stopped).rejects.toBe(reason);
  expect(tf.memory().numTensors).toBe(before);
});
