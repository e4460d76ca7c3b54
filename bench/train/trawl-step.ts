/** The built-in trainer's step, as an epoch takes it. */
import type * as tf from '@tensorflow/tfjs-core';
import { batchesOf } from '../../agent/trainers/autoencoder/batches.ts';
import { pickRows } from '../../agent/trainers/autoencoder/images.ts';
import { Learner } from '../../agent/trainers/autoencoder/learner.ts';
import { LossLog } from '../../agent/trainers/autoencoder/loss-log.ts';
import { Random, STREAMS } from '../../agent/trainers/autoencoder/random.ts';
import { settingsOf } from '../../agent/trainers/autoencoder/settings.ts';
import { TRAINERS, withDefaults } from '../../proto/trainers.ts';
import { LATENT_DIM, LEARNING_RATE, PENALTY, type Request } from './measurement.ts';
import type { Step } from './subject.ts';

export function trawlStep(rows: tf.Tensor2D, { depth, batch }: Request): Step {
  const settings = settingsOf(
    withDefaults(TRAINERS.autoencoder, {
      depth,
      batch_size: batch,
      latent_dim: LATENT_DIM,
      learning_rate: LEARNING_RATE,
      lambda_l1: PENALTY[depth],
      weight_decay: PENALTY[depth],
    }),
  );
  const learner = new Learner(settings, 0);
  const log = new LossLog(0);
  const shuffles = new Random(0, STREAMS.shuffle);
  const order = Int32Array.from({ length: rows.shape[0] }, (_, i) => i);
  const batches = (function* () {
    for (;;) {
      shuffles.shuffle(order);
      // As in an epoch: full batches and one that is what remains.
      yield* batchesOf(order, batch);
    }
  })();
  return {
    async take() {
      const { value } = batches.next();
      const picked = pickRows(rows, value as Int32Array);
      const losses = learner.step(picked);
      picked.dispose();
      await log.add(batch, losses);
    },
    async settle() {
      await learner.absoluteSum();
    },
  };
}
