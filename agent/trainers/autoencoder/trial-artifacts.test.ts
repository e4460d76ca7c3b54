import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSafetensors, type SafetensorsFile } from '../../../lib/files/safetensors.ts';
import { type Parameters, TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseTestBackend } from '../backend.fixture.ts';
import { type RecordedRun, recordedRun } from '../run.fixture.ts';
import type { TrainingRun } from '../trainer.ts';
import { loadFewTestImages } from './few-test-images.fixture.ts';
import { normals, Random, STREAMS } from './random.ts';
import { isReconstructed } from './reconstructions.ts';
import { autoencoder } from './train.ts';

const SEED = 7;
const LIMIT_MS = 120_000;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-products-test-'));
  await chooseTestBackend();
});

afterAll(() => rm(dir, { recursive: true, force: true }));

const short: Parameters = { train_size: 64, epochs: 2, latent_dim: 15 };

async function train(given: Parameters, overrides: Partial<TrainingRun> = {}): Promise<RecordedRun> {
  const parameters = withDefaults(TRAINERS.autoencoder, given);
  const run = recordedRun({ parameters, seed: SEED, dataDir: dir, ...overrides });
  await autoencoder(run, loadFewTestImages);
  return run;
}

function bytes(run: RecordedRun, name: string): Uint8Array {
  const content = run.kept.find((kept) => kept.name === name)?.content;
  if (content instanceof Uint8Array) return content;
  throw new Error(`the run kept no artifact ${name}`);
}

const file = (run: RecordedRun, name: string): SafetensorsFile => readSafetensors(bytes(run, name));
const values = ({ tensors }: SafetensorsFile, name: string): ArrayLike<number> => tensors[name]?.data ?? [];
const filesOf = (epoch: number) => [
  `reconstructions/epoch-${epoch}.png reconstruction ${epoch}`,
  `reconstructions/epoch-${epoch}.safetensors reconstruction ${epoch}`,
];

test('reconstructions and checkpoints are kept at their intervals, and the model is kept at the end', {
  timeout: LIMIT_MS,
}, async () => {
  const events: string[] = [];
  await train(
    { ...short, epochs: 6 },
    {
      checkpointEvery: 2,
      reconstructEvery: 3,
      report: (epoch) => events.push(`report ${epoch}`),
      keep: async ({ name, kind, epoch }) => void events.push(`${name} ${kind} ${epoch}`),
    },
  );
  expect(events).toEqual([
    'report 1',
    ...filesOf(1),
    'report 2',
    'checkpoints/epoch-2.safetensors checkpoint 2',
    'report 3',
    'report 4',
    ...filesOf(4),
    'checkpoints/epoch-4.safetensors checkpoint 4',
    'report 5',
    'report 6',
    ...filesOf(6),
    'model.safetensors model 6',
  ]);
});

test('a reconstruction interval of 4 selects epochs 1, 5, 9, 13 and the last epoch; an interval of 0 selects none', () => {
  const kept = (epochs: number, every: number) =>
    Array.from({ length: epochs }, (_, i) => i + 1).filter((epoch) => isReconstructed(epoch, every, epochs));
  expect(kept(13, 4)).toEqual([1, 5, 9, 13]);
  expect(kept(10, 4)).toEqual([1, 5, 9, 10]);
  expect(kept(3, 1)).toEqual([1, 2, 3]);
  expect(kept(13, 0)).toEqual([]);
});

test('a run without checkpoints and reconstructions keeps only its model', async () => {
  const { kept } = await train(short, { checkpointEvery: 0, reconstructEvery: 0 });
  expect(kept.map(({ name }) => name)).toEqual(['model.safetensors']);
});

test('in every epoch, the inputs of the reconstructions are the first test image of each class', async () => {
  const run = await train(short, { reconstructEvery: 1 });
  const { pixels, labels } = (await loadFewTestImages('mnist', dir)).test;
  for (const epoch of [1, 2]) {
    const reconstruction = file(run, `reconstructions/epoch-${epoch}.safetensors`);
    expect(reconstruction.metadata).toEqual({ epoch: `${epoch}`, labels: '0 1 2 3 4 5 6 7 8 9' });
    expect(Object.keys(reconstruction.tensors)).toEqual(['input', 'output']);
    expect(reconstruction.tensors.input).toMatchObject({ dtype: 'U8', shape: [10, 28, 28] });
    const expected = Array.from({ length: 10 }, (_, label) => {
      const first = [...labels].indexOf(label);
      return [...pixels.subarray(first * 784, (first + 1) * 784)];
    });
    expect([...(reconstruction.tensors.input?.data ?? [])]).toEqual(expected.flat());
  }
  expect([...labels.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
});

test('an input image in the reconstructions has the same noise as in the evaluation of the test set', async () => {
  const run = await train({ ...short, noise_std: 0.5, epochs: 1 }, { reconstructEvery: 1 });
  const { pixels, labels, count } = (await loadFewTestImages('mnist', dir)).test;
  const noise = normals(count * 784, 0.5, new Random(SEED, STREAMS.testNoise));
  const reconstruction = file(run, 'reconstructions/epoch-1.safetensors');
  const noisy = values(reconstruction, 'noisy');
  for (let label = 0; label < 10; label++) {
    const first = labels.indexOf(label) * 784;
    for (let i = 0; i < 784; i++) {
      const pixel = (pixels[first + i] ?? 0) / 127.5 - 1 + (noise[first + i] ?? 0);
      const byte = (Math.min(1, Math.max(-1, pixel)) + 1) * 127.5;
      expect(Math.abs((noisy[label * 784 + i] ?? Number.NaN) - byte)).toBeLessThan(0.501);
    }
  }

  let squares = 0;
  for (let i = 0; i < pixels.length; i++) {
    const clean = (pixels[i] ?? 0) / 127.5 - 1;
    squares += (Math.min(1, Math.max(-1, clean + (noise[i] ?? 0))) - clean) ** 2;
  }
  const expected = 20 * Math.log10(2) - 10 * Math.log10(squares / pixels.length);
  expect(run.reports[0]?.metrics.psnr_input).toBeCloseTo(expected, 4);
});

test('the PNG has a row of inputs, a row of noisy inputs and a row of outputs, enlarged three times', async () => {
  const run = await train({ ...short, noise_std: 0.5, epochs: 1 }, { reconstructEvery: 1 });
  const reconstruction = file(run, 'reconstructions/epoch-1.safetensors');
  const { width, height, channels, depth, data } = decode(bytes(run, 'reconstructions/epoch-1.png'));
  expect([width, height, channels, depth]).toEqual([3 * (10 * 30 + 2), 3 * (3 * 30 + 2), 1, 8]);
  ['input', 'noisy', 'output'].forEach((name, row) => {
    const expected = values(reconstruction, name);
    for (let i = 0; i < 10 * 784; i++) {
      const [column, y, x] = [Math.floor(i / 784), Math.floor((i % 784) / 28), i % 28];
      const [top, left] = [3 * (2 + row * 30 + y), 3 * (2 + column * 30 + x)];
      for (const [down, right] of [
        [0, 0],
        [1, 1],
        [2, 2],
      ] as const)
        expect(data[(top + down) * width + left + right]).toBe(expected[i]);
    }
  });
  expect(data[0]).toBe(128);
  expect(data.at(-1)).toBe(128);
});

test.each([3, 5])(
  'a model of depth %i, evaluated from its file alone, reproduces the last reconstructions',
  { timeout: LIMIT_MS },
  async (depth) => {
    const run = await train({ ...short, depth }, { reconstructEvery: 1 });
    const model = file(run, 'model.safetensors');
    const { activations, ...metadata } = model.metadata;
    expect(metadata).toEqual({
      trainer: 'autoencoder',
      parameters: JSON.stringify(withDefaults(TRAINERS.autoencoder, { ...short, depth })),
      seed: '7',
      pixels: 'x / 127.5 - 1: bytes 0..255 become -1..1',
    });
    const layers: readonly { name: string; activation: string }[] = JSON.parse(activations ?? '');
    const halves = ['encoder', 'decoder'].flatMap((half) => Array.from({ length: depth }, (_, i) => `${half}.${i}`));
    expect(layers.map(({ name }) => name)).toEqual(halves);
    expect(Object.keys(model.tensors)).toEqual(halves.flatMap((name) => [`${name}.weight`, `${name}.bias`]));

    const reconstruction = file(run, 'reconstructions/epoch-2.safetensors');
    const output = values(reconstruction, 'output');
    for (let image = 0; image < 10; image++) {
      const input = Array.from(values(reconstruction, 'input')).slice(image * 784, (image + 1) * 784);
      let x = input.map((byte) => byte / 127.5 - 1);
      for (const { name, activation } of layers) {
        const bias = values(model, `${name}.bias`);
        const weight = values(model, `${name}.weight`);
        expect(model.tensors[`${name}.weight`]?.shape).toEqual([bias.length, x.length]);
        x = Array.from(bias, (start, o) => {
          const z = x.reduce((sum, value, i) => sum + value * (weight[o * x.length + i] ?? Number.NaN), start);
          return activation === 'relu' ? Math.max(0, z) : activation === 'tanh' ? Math.tanh(z) : z;
        });
      }
      x.forEach((pixel, i) => {
        const byte = (pixel + 1) * 127.5;
        expect(Math.abs((output[image * 784 + i] ?? Number.NaN) - byte)).toBeLessThan(0.51);
      });
    }
  },
);
