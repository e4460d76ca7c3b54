/**
 * Exports a trained network, loads it with TensorFlow.js, and compares its reconstructions with the reconstructions that
 * the trial stored.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chooseBackend } from '../../../agent/machine/backend.ts';
import { loadFewTestImages } from '../../../agent/trainers/autoencoder/few-test-images.fixture.ts';
import { autoencoder } from '../../../agent/trainers/autoencoder/train.ts';
import { type RecordedRun, recordedRun } from '../../../agent/trainers/run.fixture.ts';
import { readSafetensors, type SafetensorsFile } from '../../../lib/files/safetensors.ts';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { writeLayersModel } from './layers-model.ts';
import { modelFolder } from './model-folder.fixture.ts';
import { MODEL_NAME } from './stored-model.ts';

let dir: string;
beforeAll(async () => {
  await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false });
  dir = await mkdtemp(join(tmpdir(), 'trawl-trained-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function keptBy(run: RecordedRun, name: string): SafetensorsFile {
  const content = run.kept.find((artifact) => artifact.name === name)?.content;
  if (!(content instanceof Uint8Array)) throw new Error(`the run kept ${run.kept.map((artifact) => artifact.name)}`);
  return readSafetensors(content);
}

test.each([3, 5])('at depth %d the exported network gives the same reconstructions as the trial', async (depth) => {
  const parameters = withDefaults(TRAINERS.autoencoder, { depth, latent_dim: 15, train_size: 64, epochs: 1 });
  const run = recordedRun({ parameters, seed: 7, dataDir: join(dir, 'data'), reconstructEvery: 1 });
  await autoencoder(run, loadFewTestImages);
  const out = join(dir, `model-${depth}`);
  await writeLayersModel(keptBy(run, MODEL_NAME), out);

  const { input, output } = keptBy(run, 'reconstructions/epoch-1.safetensors').tensors;
  if (input === undefined || output === undefined) throw new Error('the reconstructions lack a tensor');
  const pixels = Float32Array.from(input.data, (byte) => byte / 127.5 - 1);
  const model = await loadLayersModel(modelFolder(out));
  const made = await (model.predict(tf.tensor2d(pixels, [10, 784])) as tf.Tensor).data();
  model.dispose();

  expect(new Set(output.data).size).toBeGreaterThan(10);
  expect(made).toHaveLength(output.data.length);
  // The two programs can round sums differently, so the value of a pixel can differ by one.
  const off = output.data.map((byte, i) => Math.abs(byte - Math.round(((made[i] ?? Number.NaN) + 1) * 127.5)));
  expect(Math.max(...off)).toBeLessThanOrEqual(1);
});
