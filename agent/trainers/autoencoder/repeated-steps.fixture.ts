/**
 * Trains the same step with libtensorflow several times, each time with a new network, and prints how many results
 * differ from the first result. Usage: `repeated-steps.fixture.ts TIMES`.
 */
import * as tf from '@tensorflow/tfjs-core';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseBackend } from '../../machine/backend.ts';
import { strokes } from './compare-steps.fixture.ts';
import { Learner } from './learner.ts';
import { settingsOf } from './settings.ts';

await chooseBackend({ forced: 'tensorflow', gpus: 0, requireGpu: false });
const settings = settingsOf(withDefaults(TRAINERS.autoencoder, { latent_dim: 64 }));
const images = tf.tensor2d(strokes(64, 1), [64, 784]);
const results: Float32Array[] = [];
for (let time = 0; time < Number(process.argv[2]); time++) {
  const learner = new Learner([{ settings, seed: 1 }]);
  learner.step(images).dispose();
  results.push(await learner.parametersOf(0));
  learner.dispose();
}
const [first] = results;
console.log(results.filter((result) => result.some((value, at) => value !== first?.[at])).length);
