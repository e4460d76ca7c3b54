/** The built-in trainer's step, as an epoch takes it. */
import { batchesOf } from '../../agent/trainers/autoencoder/batches.ts';
import type { TrainImages } from '../../agent/trainers/autoencoder/images.ts';
import { Learner } from '../../agent/trainers/autoencoder/learner.ts';
import { LossLog } from '../../agent/trainers/autoencoder/loss-log.ts';
import { Random, STREAMS } from '../../agent/trainers/autoencoder/random.ts';
import { settingsOf } from '../../agent/trainers/autoencoder/settings.ts';
import { TRAINERS, withDefaults } from '../../proto/trainers.ts';
import { IMAGES, LATENT_DIM, LEARNING_RATE, PENALTY, type Request } from './measurement.ts';
import type { Step } from './subject.ts';

export function trawlStep(images: TrainImages, { depth, batch, pack }: Request): Step {
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
  const seeds = Array.from({ length: pack }, (_, seed) => seed);
  const learner = new Learner(seeds.map((seed) => ({ settings, seed })));
  const log = new LossLog(pack);
  const shuffles = seeds.map((seed) => new Random(seed, STREAMS.shuffle));
  const orders = seeds.map(() => Int32Array.from({ length: IMAGES }, (_, i) => i));
  const batches = (function* () {
    for (;;) {
      for (const [at, order] of orders.entries()) shuffles[at]?.shuffle(order);
      // As in an epoch: full batches and one that is what remains.
      yield* batchesOf(orders, batch);
    }
  })();
  return {
    async take() {
      const { value } = batches.next();
      const picked = images.pick(value as Int32Array);
      const losses = learner.step(picked);
      picked.dispose();
      await log.add(batch, losses);
    },
    async settle() {
      await learner.absoluteSums();
    },
  };
}
