/**
 * Trains one step of a pack with libtensorflow on the CPU. Then half of the members leave, and then the pack ends.
 * Prints as JSON how many bytes the parameters, moments and gradients of half of the members take. Also prints by how
 * many bytes the resident memory of the process shrinks when these members leave, and when the pack ends.
 */
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseBackend } from '../../machine/backend.ts';
import { strokes } from './compare-steps.fixture.ts';
import { Learner } from './learner.ts';
import { PIXELS, parameterLayout } from './model.ts';
import { settingsOf } from './settings.ts';

const MEMBERS = 16;
const ARRAYS = 4;

setFlagsFromString('--expose-gc');
const gc: () => void = runInNewContext('gc');

async function residentBytes(): Promise<number> {
  // A garbage collection finds the unused sessions, but their memory is released only afterward. One collection is
  // therefore not enough.
  for (let round = 0; round < 5; round++) {
    gc();
    await setImmediate();
  }
  return process.memoryUsage.rss();
}

await chooseBackend({ forced: 'tensorflow', gpus: 0, requireGpu: false });
const settings = settingsOf(withDefaults(TRAINERS.autoencoder, { latent_dim: 64 }));
const seeds = Array.from({ length: MEMBERS }, (_, seed) => ({ settings, seed }));
const images = tf.tensor2d(strokes(4 * MEMBERS, 1), [4 * MEMBERS, PIXELS]);
const learner = new Learner(seeds);
learner.step(images).dispose();
const all = await residentBytes();
learner.keepOnly(Array.from({ length: MEMBERS / 2 }, (_, at) => at));
const half = await residentBytes();
const { parameters } = parameterLayout(learner.layersOf(0));
learner.dispose();
const none = await residentBytes();
const expected = (MEMBERS / 2) * ARRAYS * Float32Array.BYTES_PER_ELEMENT * parameters;
console.log(JSON.stringify({ expected, afterLeaving: all - half, afterEnd: half - none }));
