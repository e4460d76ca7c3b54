/**
 * Trains a pack with libtensorflow on the CPU in two ways, both with the graph of the pack. In the first way, one run
 * of the graph trains several steps in a loop, on images that the session holds. In the second way, each run trains one
 * step on the images that it receives. One of three members leaves after two steps, and a second member leaves after
 * four steps. Prints the number of losses, the number of optimizer steps, the largest relative difference between the
 * losses of the two ways, and the number of tensors that are left at the end, as JSON.
 */
import * as tf from '@tensorflow/tfjs-core';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseBackend } from '../../machine/backend.ts';
import { strokes } from './compare-steps.fixture.ts';
import { Learner } from './learner.ts';
import { PIXELS } from './model.ts';
import { settingsOf } from './settings.ts';

const IMAGES = 12;
const BATCH = 4;

await chooseBackend({ forced: 'tensorflow', gpus: 0, requireGpu: false });
const before = tf.memory().numTensors;
const members = [15, 40, 15].map((latent_dim, seed) => ({
  settings: settingsOf(
    withDefaults(TRAINERS.autoencoder, {
      ...{ latent_dim, lambda_l1: 1e-4 * seed, weight_decay: 1e-4, noise_std: seed === 1 ? 0.5 : 0 },
    }),
  ),
  seed,
}));
const bytes = Uint8Array.from(strokes(IMAGES, 1), (pixel) => Math.round((pixel + 1) * 127.5));
const read = (indices: Int32Array) =>
  Uint8Array.from({ length: indices.length * PIXELS }, (_, at) => {
    return bytes[(indices[Math.floor(at / PIXELS)] ?? 0) * PIXELS + (at % PIXELS)] ?? 0;
  });
const looped = new Learner(members, 'pack-graph');
looped.trainOn({ read }, IMAGES);
const stepped = new Learner(members, 'pack-graph');

const batches = (count: number, step: number) =>
  Int32Array.from({ length: count * BATCH }, (_, at) => (step * 5 + at * 7) % IMAGES);
const inLoop: number[] = [];
const oneByOne: number[] = [];
const train = async (steps: readonly Int32Array[]) => {
  for (const losses of looped.train(steps)) inLoop.push(...(losses as Float32Array));
  for (const indices of steps) {
    const rows = tf.tensor2d(
      Float32Array.from(read(indices), (byte) => byte / 127.5 - 1),
      [indices.length, PIXELS],
    );
    const losses = stepped.step(rows);
    oneByOne.push(...(await losses.data<'float32'>()));
    tf.dispose([rows, losses]);
  }
};
await train([batches(3, 0), batches(3, 1)]);
for (const learner of [looped, stepped]) learner.keepOnly([1, 2]);
await train([batches(2, 2), batches(2, 3)]);
for (const learner of [looped, stepped]) learner.keepOnly([0]);
await train([batches(1, 4)]);
const state = await looped.save(0);
looped.restore(0, state);
await train([batches(1, 5), batches(1, 6)]);
tf.tidy(() => looped.reconstruct(0, tf.zeros([PIXELS, 2])).dataSync());
for (const learner of [looped, stepped]) learner.dispose();
const difference = Math.max(...inLoop.map((loss, at) => Math.abs(loss - (oneByOne[at] ?? Number.NaN)) / (loss || 1)));
console.log(
  JSON.stringify({ losses: inLoop.length, steps: state.adam.steps, difference, left: tf.memory().numTensors - before }),
);
