/** The same net as a user of TensorFlow.js would write it: stock layers, stock optimiser, `minimize`. */
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { layersOf } from '../../agent/trainers/autoencoder/model.ts';
import { LATENT_DIM, LEARNING_RATE, PENALTY, type Request } from './measurement.ts';
import type { Step } from './subject.ts';

export function stockStep(rows: tf.Tensor2D, { depth, batch }: Request): Step {
  const model = layers.sequential({
    layers: layersOf(depth, LATENT_DIM).map(({ inputs, outputs, activation }) =>
      layers.layers.dense({ units: outputs, inputShape: [inputs], activation }),
    ),
  });
  const optimiser = tf.train.adam(LEARNING_RATE);
  const weights = model.trainableWeights.map((weight) => weight.read());
  const penalty = PENALTY[depth];
  let last: tf.Scalar | null = null;
  return {
    async take() {
      const indices = tf.randomUniform([batch], 0, rows.shape[0], 'int32') as tf.Tensor1D;
      last?.dispose();
      last = optimiser.minimize(() => {
        const x = tf.gather(rows, indices);
        const mse = tf.losses.meanSquaredError(x, model.apply(x, { training: true }) as tf.Tensor);
        const l1 = tf.addN(weights.map((weight) => tf.sum(tf.abs(weight))));
        const l2 = tf.addN(weights.map((weight) => tf.sum(tf.square(weight))));
        return tf.addN([mse, tf.mul(l1, penalty), tf.mul(l2, penalty / 2)]) as tf.Scalar;
      }, true);
      indices.dispose();
    },
    async settle() {
      await last?.data();
    },
  };
}
