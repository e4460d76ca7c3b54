/** Opens libtensorflow's first session, writes `ready` to stderr, and trains one step. */
import * as tf from '@tensorflow/tfjs-core';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { chooseBackend } from '../../machine/backend.ts';
import { Learner } from './learner.ts';
import { openFirstSession } from './libtensorflow.ts';
import { settingsOf } from './settings.ts';

await chooseBackend({ forced: 'tensorflow', gpus: 0, requireGpu: false });
openFirstSession();
console.error('ready');
const learner = new Learner([{ settings: settingsOf(withDefaults(TRAINERS.autoencoder, {})), seed: 1 }]);
const losses = await learner.step(tf.zeros([2, 784])).data();
console.log(losses.every(Number.isFinite));
