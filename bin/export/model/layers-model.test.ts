import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { chooseBackend } from '../../../agent/machine/backend.ts';
import type { SafeTensor, SafetensorsFile } from '../../../lib/files/safetensors.ts';
import { BadInputError } from '../../../proto/errors.ts';
import { layersModel, TOPOLOGY_FILE, WEIGHTS_FILE, writeLayersModel } from './layers-model.ts';
import { modelFolder } from './model-folder.fixture.ts';

let dir: string;
let out: string;
beforeAll(async () => {
  await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false });
  dir = await mkdtemp(join(tmpdir(), 'trawl-model-'));
});
beforeEach(() => {
  out = join(dir, 'model');
  return rm(out, { recursive: true, force: true });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const some = (count: number, phase: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(phase + 1.7 * i));

const LAYERS = [
  { name: 'encoder.0', inputs: 6, outputs: 4, activation: 'relu' },
  { name: 'encoder.1', inputs: 4, outputs: 2, activation: 'linear' },
  { name: 'decoder.0', inputs: 2, outputs: 4, activation: 'relu' },
  { name: 'decoder.1', inputs: 4, outputs: 6, activation: 'tanh' },
] as const;

const tensors = Object.fromEntries(
  LAYERS.flatMap(({ name, inputs, outputs }, i): [string, SafeTensor][] => [
    [`${name}.weight`, { dtype: 'F32', shape: [outputs, inputs], data: some(outputs * inputs, i) }],
    [`${name}.bias`, { dtype: 'F32', shape: [outputs], data: some(outputs, 10 * i) }],
  ]),
);
const network: SafetensorsFile = {
  tensors,
  metadata: {
    trainer: 'autoencoder',
    activations: JSON.stringify(LAYERS.map(({ name, activation }) => ({ name, activation }))),
    pixels: 'x / 127.5 - 1',
  },
};

const ACTIVATION = { relu: (x: number) => Math.max(0, x), linear: (x: number) => x, tanh: Math.tanh };

function byHand(input: readonly number[]): readonly number[] {
  return LAYERS.reduce<readonly number[]>((x, { name, inputs, outputs, activation }) => {
    const weight = tensors[`${name}.weight`]?.data ?? [];
    const bias = tensors[`${name}.bias`]?.data ?? [];
    return Array.from({ length: outputs }, (_, o) => {
      const z = x.reduce(
        (sum, value, i) => sum + (weight[o * inputs + i] ?? Number.NaN) * value,
        bias[o] ?? Number.NaN,
      );
      return ACTIVATION[activation](z);
    });
  }, input);
}

test('TensorFlow.js loads the exported model and computes the same outputs', async () => {
  await writeLayersModel(network, out);
  const model = await loadLayersModel(modelFolder(out));
  expect(model.layers.map(({ name }) => name)).toEqual(['encoder_0', 'encoder_1', 'decoder_0', 'decoder_1']);
  expect(model.getUserDefinedMetadata()).toEqual(network.metadata);
  const inputs = [[...some(6, 3)], [...some(6, 4)], [0, 0, 0, 0, 0, 0]];
  const predicted = (await (model.predict(tf.tensor2d(inputs)) as tf.Tensor2D).array()).flat();
  const expected = inputs.flatMap(byHand);
  expect(predicted).toHaveLength(expected.length);
  for (const [i, value] of predicted.entries()) expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 5);
  model.dispose();
});

test('an export replaces an earlier exported model, but leaves a folder with other files unchanged', async () => {
  await writeLayersModel(network, out);
  await writeLayersModel({ ...network, metadata: { ...network.metadata, seed: '1' } }, out);
  expect((await readdir(out)).sort()).toEqual([WEIGHTS_FILE, TOPOLOGY_FILE].sort());
  const topology = JSON.parse(await readFile(join(out, TOPOLOGY_FILE), 'utf8'));
  expect(topology.userDefinedMetadata.seed).toBe('1');

  await writeFile(join(out, TOPOLOGY_FILE), JSON.stringify({ ...topology, generatedBy: 'TensorFlow.js 4.22.0' }));
  await expect(writeLayersModel(network, out)).rejects.toThrow(/is not empty/);
  await writeFile(join(out, TOPOLOGY_FILE), JSON.stringify(topology));
  await writeFile(join(out, 'notes.txt'), 'mine');
  await expect(writeLayersModel(network, out)).rejects.toThrow(/is not empty/);
  expect(await readFile(join(out, 'notes.txt'), 'utf8')).toBe('mine');
  expect(await readdir(dir)).toEqual(['model']);
});

const changed = (change: Partial<Record<string, SafeTensor>>, activations = network.metadata.activations ?? '') => {
  const all = Object.entries({ ...tensors, ...change }).filter((entry): entry is [string, SafeTensor] => !!entry[1]);
  return { tensors: Object.fromEntries(all), metadata: { activations } };
};

test.each<[string, SafetensorsFile, RegExp]>([
  ['without a list of layers', { tensors, metadata: {} }, /"activations" is null, expected JSON/],
  ['with a list that is not valid JSON', changed({}, 'relu'), /"activations" is "relu"/],
  ['with an unknown activation', changed({}, '[{"name":"encoder.0","activation":"gelu"}]'), /gelu/],
  ['with a missing bias', changed({ 'decoder.0.bias': undefined }), /decoder\.0\.bias is missing, expected F32 of 1/],
  [
    'with weights of another type',
    changed({ 'encoder.0.weight': { dtype: 'U8', shape: [1, 1], data: new Uint8Array(1) } }),
    /encoder\.0\.weight is U8 \[1,1\], expected F32 of 2/,
  ],
  [
    'whose layers do not fit',
    changed({ 'encoder.1.weight': { dtype: 'F32', shape: [2, 3], data: new Float32Array(6) } }),
    /encoder\.1\.weight is \[2,3\].*the previous layer has 4 outputs/,
  ],
])('a network %s is rejected', (_, file, message) => {
  expect(() => layersModel(file, 'trawl 0')).toThrow(BadInputError);
  expect(() => layersModel(file, 'trawl 0')).toThrow(message);
});
