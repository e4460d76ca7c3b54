/** Tests that trials of a pack have the same results as single trials, and end independently. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Parameters, TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { type BackendName, forcedBackend } from '../../machine/backend.ts';
import { chooseTestBackend } from '../backend.fixture.ts';
import { type RecordedRun, recordedRun } from '../run.fixture.ts';
import type { TrainingRun } from '../trainer.ts';
import type { Strategy } from './engine.ts';
import { loadFewTestImages } from './few-test-images.fixture.ts';
import { autoencoder, autoencoderPack } from './train.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-pack-test-'));
  await chooseTestBackend();
});

afterAll(() => rm(dir, { recursive: true, force: true }));

interface Given extends Parameters {
  readonly seed: number;
}

const MEMBERS: readonly Given[] = [
  { seed: 1, latent_dim: 15, epochs: 2, lambda_l1: 1e-5, weight_decay: 1e-5 },
  { seed: 2, latent_dim: 40, epochs: 3, noise_std: 0.5 },
  { seed: 3, latent_dim: 15, epochs: 1, learning_rate: 5e-4, lambda_l1: 1e-3, l1_in_gradient: false },
];

/** The 20 training images make one whole batch and one short batch. */
const SHORT: Parameters = { train_size: 20, batch_size: 12 };

function runOf({ seed, ...given }: Given, overrides: Partial<TrainingRun> = {}): RecordedRun {
  const parameters = withDefaults(TRAINERS.autoencoder, { ...SHORT, ...given });
  return recordedRun({ parameters, seed, dataDir: dir, checkpointEvery: 1, reconstructEvery: 1, ...overrides });
}

function digests({ kept }: RecordedRun) {
  return kept.map(({ name, content }) => [
    name,
    content instanceof Uint8Array ? createHash('sha256').update(content).digest('hex') : content,
  ]);
}

/**
 * Returns the limit for the relative difference between a metric of a trial in a pack and the same metric of the trial
 * alone. A stacked pack and a graph of a pack sum float32 values in another order than a single trial, and some steps
 * amplify the rounding differences.
 */
function tolerance(strategy: Strategy, metric: string): number {
  if (strategy === 'stacked' || strategy === 'pack-graph') return 1e-3;
  return metric === 'train_total_loss' ? 1e-6 : Number.MIN_VALUE;
}

/**
 * The strategies that are specific to each backend, with the depths to test. The first one is the backend's default.
 */
const OWN_STRATEGIES: Readonly<Record<BackendName, readonly (readonly [Strategy, 3 | 5])[]>> = {
  wasm: [['in-turn', 3]],
  tensorflow: [
    ['graphs', 5],
    ['pack-graph', 3],
    ['pack-graph', 5],
  ],
  'tensorflow-gpu': [],
};
const ownStrategies = OWN_STRATEGIES[forcedBackend(process.env) ?? 'wasm'];
const OWN_STRATEGY: Strategy = ownStrategies[0]?.[0] ?? 'stacked';
const isExact = (strategy: Strategy) => tolerance(strategy, '') < 1e-6;

type Reports = RecordedRun['reports'];

/** Compares reports within the tolerance of a strategy. */
function expectAlike(found: Reports, wanted: Reports, strategy: Strategy): void {
  expect(found.map(({ epoch }) => epoch)).toEqual(wanted.map(({ epoch }) => epoch));
  for (const [at, { epoch, metrics }] of found.entries()) {
    for (const [name, value] of Object.entries(metrics)) {
      const off = Math.abs(value / (wanted[at]?.metrics[name] ?? Number.NaN) - 1);
      expect(off, `${name} of epoch ${epoch}`).toBeLessThan(tolerance(strategy, name));
    }
  }
}

/** Compares reports from the backend's default strategy. They must be identical, unless a pack changes the rounding. */
function expectSame(found: Reports | undefined, wanted: Reports | undefined): void {
  if (isExact(OWN_STRATEGY)) expect(found).toEqual(wanted);
  else expectAlike(found ?? [], wanted ?? [], OWN_STRATEGY);
}

describe.each([...ownStrategies, ['stacked', 3], ['stacked', 5]] as const)(
  '%s, depth %d',
  (strategy: Strategy, depth) => {
    test('a trial has the same metrics in a pack as alone, within the tolerance of the strategy', {
      timeout: 120_000,
    }, async () => {
      const alone = MEMBERS.map((given) => runOf({ ...given, depth }));
      for (const run of alone) await Promise.all(autoencoderPack([run], strategy, loadFewTestImages));
      const together = MEMBERS.map((given) => runOf({ ...given, depth }));
      await Promise.all(autoencoderPack(together, strategy, loadFewTestImages));
      for (const [at, run] of together.entries()) {
        expectAlike(run.reports, alone[at]?.reports ?? [], strategy);
        expect(run.kept.map(({ name }) => name)).toEqual(alone[at]?.kept.map(({ name }) => name));
        if (isExact(strategy) && alone[at] !== undefined) expect(digests(run)).toEqual(digests(alone[at]));
      }
    });
  },
);

test('checkpoints of a pack and of a single trial are interchangeable', async () => {
  const [first, second] = MEMBERS.slice(0, 2).map((given) => ({ ...given, epochs: 2 }));
  if (first === undefined || second === undefined) throw new Error('the test expects two members');
  const whole = [runOf(first), runOf(second)];
  await Promise.all(autoencoderPack(whole, undefined, loadFewTestImages));
  const resumeOf = async (run: RecordedRun | undefined, path: string) => {
    const content = run?.kept.find(({ name }) => name === 'checkpoints/epoch-1.safetensors')?.content;
    if (!(content instanceof Uint8Array)) throw new Error('the test expects a checkpoint');
    await writeFile(path, content);
    return { epoch: 1, path };
  };
  const alone = runOf(second, { resume: await resumeOf(whole[1], join(dir, 'alone')) });
  await autoencoder(alone, loadFewTestImages);
  expectSame(alone.reports, whole[1]?.reports.slice(1));
  const mixed = [runOf(first), runOf(second, { resume: await resumeOf(whole[1], join(dir, 'mixed')) })];
  await Promise.all(autoencoderPack(mixed, undefined, loadFewTestImages));
  expectSame(mixed[0]?.reports, whole[0]?.reports);
  expectSame(mixed[1]?.reports, whole[1]?.reports.slice(1));
});

describe('the end of one member of a pack does not affect the other members', () => {
  test('NaN, a stop, invalid parameters or a missing checkpoint ends only the affected run', async () => {
    const good: Given = { seed: 5, latent_dim: 15, epochs: 2 };
    const stop = new AbortController();
    const undisturbed = runOf(good);
    await autoencoder(undisturbed, loadFewTestImages);
    const before = tf.memory().numTensors;
    const runs = {
      good: runOf(good),
      nan: runOf({ seed: 6, latent_dim: 15, epochs: 2, learning_rate: 1e30 }),
      stopped: runOf(
        { seed: 7, latent_dim: 15, epochs: 100 },
        { signal: stop.signal, report: (epoch) => epoch === 1 && stop.abort(new Error('killed')) },
      ),
      rejected: runOf({ seed: 8, latent_dim: 15, epochs: 2, depth: 4 }),
      preflight: runOf({ seed: 9, latent_dim: 15, epochs: 2 }, { resume: { epoch: 1, path: join(dir, 'nothing') } }),
    };
    const ends = await Promise.allSettled(autoencoderPack(Object.values(runs), undefined, loadFewTestImages));
    const outcomes = ends.map((end) =>
      end.status === 'rejected' ? (end.reason.failureClass ?? end.reason.message) : 'ok',
    );
    expect(outcomes).toEqual(['ok', 'nan', 'killed', 'rejected', 'preflight']);
    expectSame(runs.good.reports, undisturbed.reports);
    if (isExact(OWN_STRATEGY)) expect(digests(runs.good)).toEqual(digests(undisturbed));
    await expect.poll(() => tf.memory().numTensors).toBe(before);
  });

  test('a stop takes effect in the middle of an epoch', async () => {
    const stop = new AbortController();
    const [stopped, other] = [
      runOf({ seed: 1, train_size: 1_280, batch_size: 64 }, { signal: stop.signal }),
      runOf({ seed: 2, train_size: 1_280, batch_size: 64, epochs: 1 }),
    ];
    const [first, second] = autoencoderPack([stopped, other], undefined, loadFewTestImages);
    setTimeout(() => stop.abort(new Error('killed')), 50);
    await expect(first).rejects.toThrow('killed');
    expect(other.reports).toEqual([]);
    await second;
    expect(other.reports).toHaveLength(1);
  });

  test('without the data set, all members of a pack fail in preflight', async () => {
    const nowhere = { dataDir: new URL(import.meta.url).pathname };
    const ends = await Promise.allSettled(autoencoderPack(MEMBERS.map((given) => runOf(given, nowhere))));
    for (const end of ends) expect(end).toMatchObject({ status: 'rejected', reason: { failureClass: 'preflight' } });
  });
});
