import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSafetensors, type SafetensorsFile, writeSafetensors } from '../../../lib/files/safetensors.ts';
import { type Parameters, TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { runFixture } from '../../../test/support/run-fixture.ts';
import { chooseTestBackend } from '../backend.fixture.ts';
import { type RecordedRun, recordedRun } from '../run.fixture.ts';
import type { TrainingRun } from '../trainer.ts';
import { loadFewTestImages } from './few-test-images.fixture.ts';
import { Random, STREAMS } from './random.ts';
import { autoencoder } from './train.ts';

const SEED = 7;
const EVERYTHING = { checkpointEvery: 1, reconstructEvery: 2 } as const;
const LIMIT_MS = 120_000;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-checkpoint-test-'));
  await chooseTestBackend();
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** The 100 training images make one whole batch and one short batch. */
const plain: Parameters = { train_size: 100, epochs: 3, latent_dim: 15, lambda_l1: 1e-5, weight_decay: 1e-5 };
const denoising: Parameters = { ...plain, noise_std: 0.5 };

async function train(given: Parameters, overrides: Partial<TrainingRun> = {}): Promise<RecordedRun> {
  const parameters = withDefaults(TRAINERS.autoencoder, given);
  const run = recordedRun({ parameters, seed: SEED, dataDir: dir, ...overrides });
  await autoencoder(run, loadFewTestImages);
  return run;
}

function keptBytes(run: RecordedRun, name: string): Uint8Array {
  const content = run.kept.find((kept) => kept.name === name)?.content;
  if (content instanceof Uint8Array) return content;
  throw new Error(`the run kept no artifact ${name}`);
}

/** Hashes the artifacts, because the matcher is slow on megabytes of data. */
function digests({ kept }: RecordedRun) {
  return kept.map(({ content, ...artifact }) => ({
    ...artifact,
    content: content instanceof Uint8Array ? createHash('sha256').update(content).digest('hex') : content,
  }));
}

/** Writes the checkpoint of an epoch to a file, because an attempt that resumes receives its checkpoint as a file. */
async function checkpointFile(run: RecordedRun, epoch: number, path: string): Promise<TrainingRun['resume']> {
  await writeFile(path, keptBytes(run, `checkpoints/epoch-${epoch}.safetensors`));
  return { epoch, path };
}

describe.each([
  ['plain', plain],
  ['denoising', denoising],
  ['plain, five layers', { ...plain, depth: 5, lambda_l1: 1e-7, weight_decay: 1e-7 }],
])('%s', (_, given) => {
  test('a run that resumes from a checkpoint has bitwise the same reports and artifacts as an uninterrupted run', {
    timeout: LIMIT_MS,
  }, async () => {
    const whole = await train(given, EVERYTHING);
    expect(whole.reports.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    for (const epoch of [1, 2]) {
      const resume = await checkpointFile(whole, epoch, join(dir, 'resume'));
      const rest = await train(given, { ...EVERYTHING, resume });
      expect(rest.reports).toEqual(whole.reports.filter((report) => report.epoch > epoch));
      expect(digests(rest)).toEqual(digests(whole).filter((kept) => kept.epoch > epoch));
    }
  });
});

test('a run that resumes in a new process has bitwise the same reports as an uninterrupted run', {
  timeout: LIMIT_MS,
}, async () => {
  const whole = await train(denoising, EVERYTHING);
  const path = join(dir, 'fresh');
  await checkpointFile(whole, 1, path);
  const fixture = new URL('./one-trial.fixture.ts', import.meta.url);
  const { stdout } = await runFixture(fixture, dir, JSON.stringify(denoising), '1', path);
  expect(JSON.parse(stdout)).toEqual(whole.reports.slice(1).map(({ metrics }) => metrics));
});

test('a checkpoint in the format of another version is ignored, and the trial starts from the first epoch', async () => {
  const whole = await train(plain, EVERYTHING);
  const file = readSafetensors(keptBytes(whole, 'checkpoints/epoch-1.safetensors'));
  const path = join(dir, 'older');
  await writeFile(path, writeSafetensors({ ...file, metadata: { ...file.metadata, format: '1' } }));
  expect((await train(plain, { resume: { epoch: 1, path } })).reports).toEqual(whole.reports);
});

test('every epoch uses all images in a new order, which the seed determines', async () => {
  const run = await train(plain, EVERYTHING);
  const orders = [1, 2].map((epoch) => {
    const { tensors } = readSafetensors(keptBytes(run, `checkpoints/epoch-${epoch}.safetensors`));
    return [...(tensors.order?.data ?? [])];
  });
  const expected = Int32Array.from({ length: 100 }, (_, i) => i);
  const shuffles = new Random(SEED, STREAMS.shuffle);
  for (const order of orders) {
    shuffles.shuffle(expected);
    expect(order).toEqual([...expected]);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  }
  expect(orders[1]).not.toEqual(orders[0]);
});

test("a trial with another seed, learning rate and weight decay can resume from its parent's checkpoint", async () => {
  const whole = await train(plain, EVERYTHING);
  const path = join(dir, 'inherited');
  await checkpointFile(whole, 1, path);
  const child = { seed: SEED + 1, resume: { epoch: 1, path, inherited: true } };
  const same = await train(plain, child);
  expect(same.reports).toEqual(whole.reports.slice(1));
  const faster = await train({ ...plain, learning_rate: 0.01, weight_decay: 1e-3 }, child);
  expect(faster.reports.map(({ epoch }) => epoch)).toEqual(same.reports.map(({ epoch }) => epoch));
  expect(faster.reports).not.toEqual(same.reports);
  await expect(train({ ...plain, train_size: 90 }, child)).rejects.toThrow('train_size is 100, expected 90');
});

test('no tensor is leaked when a run keeps all artifacts, resumes, or fails to resume', async () => {
  const before = tf.memory().numTensors;
  const whole = await train(denoising, EVERYTHING);
  expect(tf.memory().numTensors).toBe(before);
  const resume = await checkpointFile(whole, 1, join(dir, 'leak'));
  await train(denoising, { ...EVERYTHING, resume });
  expect(tf.memory().numTensors).toBe(before);
  await expect(train(denoising, { resume, seed: SEED + 1 })).rejects.toThrow();
  expect(tf.memory().numTensors).toBe(before);
});

describe('an attempt with an unusable checkpoint fails in preflight with the reason', () => {
  let bytes: Uint8Array;

  beforeAll(async () => {
    bytes = keptBytes(await train({ ...plain, epochs: 2 }, EVERYTHING), 'checkpoints/epoch-1.safetensors');
  });

  async function rejection(file: Uint8Array, given: Parameters = {}, overrides: Partial<TrainingRun> = {}) {
    const path = join(dir, 'rejected');
    await writeFile(path, file);
    const run = train({ ...plain, epochs: 2, ...given }, { resume: { epoch: 1, path }, ...overrides });
    const error: unknown = await run.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'TrainingError', failureClass: 'preflight' });
    return String(error);
  }

  function altered(change: (file: SafetensorsFile) => Partial<SafetensorsFile>): Uint8Array {
    const file = readSafetensors(bytes);
    return writeSafetensors({ ...file, ...change(file) });
  }

  const withMetadata = (changes: Record<string, string>) =>
    altered(({ metadata }) => ({ metadata: { ...metadata, ...changes } }));

  test('a checkpoint with another seed is rejected', async () => {
    expect(await rejection(bytes, {}, { seed: 8 })).toContain('seed is 7, expected 8');
  });

  test('a checkpoint with other parameters is rejected, and the error names the parameters', async () => {
    expect(await rejection(bytes, { latent_dim: 16 })).toContain('latent_dim is 15, expected 16');
    expect(await rejection(bytes, { train_size: 101 })).toContain('train_size is 100, expected 101');
    expect(await rejection(withMetadata({ parameters: '{}' }))).toContain('dataset is missing, expected mnist');
    expect(await rejection(withMetadata({ parameters: 'null' }))).toContain('parameters are null');
  });

  test('a checkpoint is rejected if its epoch is not the epoch that the run resumes from', async () => {
    expect(await rejection(withMetadata({ epoch: '2' }))).toContain('epoch is 2, expected 1');
  });

  test('a checkpoint of another trainer or with invalid metadata is rejected', async () => {
    expect(await rejection(withMetadata({ trainer: 'noop' }))).toContain('trainer is noop, expected autoencoder');
    expect(await rejection(withMetadata({ steps: '-3' }))).toContain('steps are -3');
    expect(await rejection(withMetadata({ moments: 'none' }))).toContain('moments are none, expected means or sums');
  });

  test('a checkpoint with missing tensors, or with tensors of another shape, is rejected', async () => {
    const without = altered(({ tensors: { order, ...tensors } }) => ({ tensors }));
    expect(await rejection(without)).toContain('order is missing, expected I32 [100]');
    const short = altered(({ tensors }) => ({
      tensors: { ...tensors, 'adam.first': { dtype: 'F32', shape: [1, 1024], data: new Float32Array(1024) } },
    }));
    expect(await rejection(short)).toMatch(/adam.first is F32 \[1,1024\], expected F32 \[\d+,1024\]/);
  });

  test('damaged and missing checkpoint files are rejected', async () => {
    expect(await rejection(bytes.subarray(0, 1000))).toContain('not a safetensors file, or a damaged safetensors file');
    const path = join(dir, 'nothing');
    await expect(train(plain, { resume: { epoch: 1, path } })).rejects.toMatchObject({
      failureClass: 'preflight',
      message: expect.stringContaining(path),
    });
  });
});
