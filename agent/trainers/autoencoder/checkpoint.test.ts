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
import { type SeenRun, seenRun } from '../run.fixture.ts';
import type { TrainingRun } from '../trainer.ts';
import { loadFewTestImages } from './few-test-images.fixture.ts';
import { Random, STREAMS } from './random.ts';
import { autoencoder } from './train.ts';

const SEED = 7;
const EVERYTHING = { checkpointEvery: 1, reconstructEvery: 2 } as const;
/** Trainings on a machine that is busy with other things. */
const LIMIT_MS = 120_000;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-checkpoint-test-'));
  await chooseTestBackend();
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** 100 images: a whole batch and a short one. */
const plain: Parameters = { train_size: 100, epochs: 3, latent_dim: 15, lambda_l1: 1e-5, weight_decay: 1e-5 };
const denoising: Parameters = { ...plain, noise_std: 0.5 };

async function train(given: Parameters, overrides: Partial<TrainingRun> = {}): Promise<SeenRun> {
  const parameters = withDefaults(TRAINERS.autoencoder, given);
  const run = seenRun({ parameters, seed: SEED, dataDir: dir, ...overrides });
  await autoencoder(run, loadFewTestImages);
  return run;
}

function keptBytes(run: SeenRun, name: string): Uint8Array {
  const content = run.kept.find((kept) => kept.name === name)?.content;
  if (content instanceof Uint8Array) return content;
  throw new Error(`the run kept no bytes called ${name}`);
}

/** What a run kept, its bytes by their hash: the matcher would walk megabytes of them element by element. */
function digests({ kept }: SeenRun) {
  return kept.map(({ content, ...artifact }) => ({
    ...artifact,
    content: content instanceof Uint8Array ? createHash('sha256').update(content).digest('hex') : content,
  }));
}

/** The checkpoint after an epoch, as a file: what a later attempt is given. */
async function checkpointFile(run: SeenRun, epoch: number, path: string): Promise<TrainingRun['resume']> {
  await writeFile(path, keptBytes(run, `checkpoints/epoch-${epoch}.safetensors`));
  return { epoch, path };
}

describe.each([
  ['plain', plain],
  ['denoising', denoising],
  ['plain, five layers', { ...plain, depth: 5, lambda_l1: 1e-7, weight_decay: 1e-7 }],
])('%s', (_, given) => {
  test('a run that goes on from a checkpoint reports and keeps, to the bit, what an undisturbed one does', {
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

test('a fresh process goes on to the same bits', { timeout: LIMIT_MS }, async () => {
  const whole = await train(denoising, EVERYTHING);
  const path = join(dir, 'fresh');
  await checkpointFile(whole, 1, path);
  const fixture = new URL('./one-trial.fixture.ts', import.meta.url);
  const { stdout } = await runFixture(fixture, dir, JSON.stringify(denoising), '1', path);
  expect(JSON.parse(stdout)).toEqual(whole.reports.slice(1).map(({ metrics }) => metrics));
});

test('a checkpoint that another version wrote is left aside: the trial begins at its beginning', async () => {
  const whole = await train(plain, EVERYTHING);
  const file = readSafetensors(keptBytes(whole, 'checkpoints/epoch-1.safetensors'));
  const path = join(dir, 'older');
  await writeFile(path, writeSafetensors({ ...file, metadata: { ...file.metadata, format: '1' } }));
  expect((await train(plain, { resume: { epoch: 1, path } })).reports).toEqual(whole.reports);
});

test('every epoch goes through all images in an order of its own, drawn from the shuffles of the seed', async () => {
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

test('a run that keeps everything, goes on or refuses to leaves no tensor behind', async () => {
  const before = tf.memory().numTensors;
  const whole = await train(denoising, EVERYTHING);
  expect(tf.memory().numTensors).toBe(before);
  const resume = await checkpointFile(whole, 1, join(dir, 'leak'));
  await train(denoising, { ...EVERYTHING, resume });
  expect(tf.memory().numTensors).toBe(before);
  await expect(train(denoising, { resume, seed: SEED + 1 })).rejects.toThrow();
  expect(tf.memory().numTensors).toBe(before);
});

describe('a checkpoint that is not of this trial fails the preflight, saying why', () => {
  let bytes: Uint8Array;

  beforeAll(async () => {
    bytes = keptBytes(await train({ ...plain, epochs: 2 }, EVERYTHING), 'checkpoints/epoch-1.safetensors');
  });

  async function refusal(file: Uint8Array, given: Parameters = {}, overrides: Partial<TrainingRun> = {}) {
    const path = join(dir, 'refused');
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

  test('another seed', async () => {
    expect(await refusal(bytes, {}, { seed: 8 })).toContain('its seed is 7, expected 8');
  });

  test('other parameters, by name', async () => {
    expect(await refusal(bytes, { latent_dim: 16 })).toContain('its latent_dim is 15, expected 16');
    expect(await refusal(bytes, { train_size: 101 })).toContain('its train_size is 100, expected 101');
    expect(await refusal(withMetadata({ parameters: '{}' }))).toContain('its dataset is missing, expected mnist');
    expect(await refusal(withMetadata({ parameters: 'null' }))).toContain('its parameters are null');
  });

  test('another epoch than the one that it was kept under', async () => {
    expect(await refusal(withMetadata({ epoch: '2' }))).toContain('its epoch is 2, expected 1');
  });

  test('another trainer, a nonsensical step', async () => {
    expect(await refusal(withMetadata({ trainer: 'noop' }))).toContain('its trainer is noop, expected autoencoder');
    expect(await refusal(withMetadata({ steps: '-3' }))).toContain('its steps are -3');
    expect(await refusal(withMetadata({ moments: 'none' }))).toContain('its moments are none, expected means or sums');
  });

  test('tensors that are missing or of another shape', async () => {
    const without = altered(({ tensors: { order, ...tensors } }) => ({ tensors }));
    expect(await refusal(without)).toContain('its order is missing, expected I32 [100]');
    const short = altered(({ tensors }) => ({
      tensors: { ...tensors, 'adam.first': { dtype: 'F32', shape: [1, 1024], data: new Float32Array(1024) } },
    }));
    expect(await refusal(short)).toMatch(/its adam.first is F32 \[1,1024\], expected F32 \[\d+,1024\]/);
  });

  test('a damaged file, or none', async () => {
    expect(await refusal(bytes.subarray(0, 1000))).toContain('not a safetensors file, or a damaged one');
    const path = join(dir, 'nothing');
    await expect(train(plain, { resume: { epoch: 1, path } })).rejects.toMatchObject({
      failureClass: 'preflight',
      message: expect.stringContaining(path),
    });
  });
});
