/** The computations that the benchmark measures. */
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { batchesOf, groupsOf, type ImageSource } from '../../agent/trainers/autoencoder/images.ts';
import { Learner } from '../../agent/trainers/autoencoder/learner.ts';
import { LossLog } from '../../agent/trainers/autoencoder/losses.ts';
import { layersOf } from '../../agent/trainers/autoencoder/model.ts';
import { Random, STREAMS } from '../../agent/trainers/autoencoder/random.ts';
import { settingsOf } from '../../agent/trainers/autoencoder/settings.ts';
import { TRAINERS, withDefaults } from '../../proto/trainers.ts';
import { IMAGES, LATENT_DIM, LEARNING_RATE, MATMUL_INNER, MATMUL_ROWS, PENALTY, type Request } from './peer.ts';

/** A computation to measure, such as a training step. */
export interface MeasuredStep {
  /** Takes one or more steps. @returns the number of steps */
  take(): Promise<number>;
  /** Resolves when the device has completed all steps. */
  settle(): Promise<void>;
}

/** Returns the step of the built-in trainer, as it runs in an epoch. */
export function trawlStep(images: ImageSource, { depth, batch, pack, strategy }: Request): MeasuredStep {
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
  const learner = new Learner(
    seeds.map((seed) => ({ settings, seed })),
    strategy,
  );
  learner.trainOn(images, IMAGES);
  const log = new LossLog(pack);
  const shuffles = seeds.map((seed) => new Random(seed, STREAMS.shuffle));
  const orders = seeds.map(() => Int32Array.from({ length: IMAGES }, (_, i) => i));
  const batches = (function* () {
    for (;;) {
      for (const [at, order] of orders.entries()) shuffles[at]?.shuffle(order);
      yield* batchesOf(orders, batch);
    }
  })();
  const groups = groupsOf(batches, () => learner.stepsPerCall);
  return {
    async take() {
      const group: readonly Int32Array[] = groups.next().value ?? [];
      for (const losses of learner.train(group)) await log.add(batch, losses);
      return group.length;
    },
    async settle() {
      await learner.absoluteSums();
    },
  };
}

/** Returns a step of the same network with stock layers, a stock optimizer and `minimize`. */
export function stockStep(rows: tf.Tensor2D, { depth, batch }: Request): MeasuredStep {
  const model = layers.sequential({
    layers: layersOf(depth, LATENT_DIM).map(({ inputs, outputs, activation }) =>
      layers.layers.dense({ units: outputs, inputShape: [inputs], activation }),
    ),
  });
  const optimizer = tf.train.adam(LEARNING_RATE);
  const weights = model.trainableWeights.map((weight) => weight.read());
  const penalty = PENALTY[depth];
  let last: tf.Scalar | null = null;
  return {
    async take() {
      const indices = tf.randomUniform([batch], 0, rows.shape[0], 'int32') as tf.Tensor1D;
      last?.dispose();
      last = optimizer.minimize(() => {
        const x = tf.gather(rows, indices);
        const mse = tf.losses.meanSquaredError(x, model.apply(x, { training: true }) as tf.Tensor);
        const l1 = tf.addN(weights.map((weight) => tf.sum(tf.abs(weight))));
        const l2 = tf.addN(weights.map((weight) => tf.sum(tf.square(weight))));
        return tf.addN([mse, tf.mul(l1, penalty), tf.mul(l2, penalty / 2)]) as tf.Scalar;
      }, true);
      indices.dispose();
      return 1;
    },
    async settle() {
      await last?.data();
    },
  };
}

/** Returns a step that computes a single matrix product. */
export function matmulStep({ batch }: Request): MeasuredStep {
  const a = tf.randomUniform([MATMUL_ROWS, MATMUL_INNER]);
  const b = tf.randomUniform([MATMUL_INNER, batch]);
  let last = tf.matMul(a, b);
  return {
    async take() {
      last.dispose();
      last = tf.matMul(a, b);
      return 1;
    },
    async settle() {
      await last.data();
    },
  };
}
