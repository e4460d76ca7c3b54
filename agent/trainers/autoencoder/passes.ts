/**
 * The forward and the backward pass, written out by hand. Activations are columns, `[features, batch]`, and weights are
 * `[outputs, inputs]`: the wasm backend packs the right operand of every product anew when it has changed, and this way
 * that is a batch, never the weights. All shapes may have the members of a pack in front: `[members, features, batch]`.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Layer } from './model.ts';
import { nativeKernels } from './native-kernels.ts';
import type { LayerTensors, Matrices } from './parameters.ts';

/** Of each layer the output `[outputs, batch]`; the last is the reconstruction. */
export type Activations = readonly Matrices[];

/** @param input `[pixels, batch]` */
export function forward(network: readonly LayerTensors[], input: Matrices): Activations {
  const activations: Matrices[] = [];
  let x = input;
  for (const { layer, weight, bias } of network) {
    const z = tf.add<Matrices>(tf.matMul(weight, x), bias);
    x = layer.activation === 'relu' ? tf.relu(z) : layer.activation === 'tanh' ? tanh(z) : z;
    activations.push(x);
  }
  return activations;
}

/**
 * Gradients of the mean squared error between the reconstruction and `target`; of each member of a pack its own.
 * @param inputRows the forward pass's input transposed: `[batch, pixels]`.
 * @param error reconstruction minus target, `[pixels, batch]`.
 * @returns for each layer its weight's and its bias's gradient, in the layout's order.
 */
export function backward(
  network: readonly LayerTensors[],
  activations: Activations,
  inputRows: Matrices,
  error: Matrices,
): readonly tf.Tensor[] {
  const gradients: tf.Tensor[] = [];
  const [pixels = 1, batch = 1] = error.shape.slice(-2);
  let delta: Matrices = tf.mul(error, 2 / (pixels * batch));
  for (let i = network.length - 1; i >= 0; i--) {
    const { layer, weight } = at(network, i);
    delta = throughActivation(layer.activation, at(activations, i), delta);
    const weightGradient = i > 0 ? timesTurned(delta, at(activations, i - 1)) : tf.matMul(delta, inputRows);
    gradients.unshift(weightGradient, tf.sum(delta, -1));
    if (i > 0) delta = turnedTimes(weight, delta);
  }
  return gradients;
}

/** The reconstruction. */
export function outputOf(activations: Activations): Matrices {
  return at(activations, activations.length - 1);
}

/** Mean of the squares of `[rows, columns]`: a scalar, or one a member; in two stages, for float32's sake. */
export function meanSquare(error: Matrices): tf.Tensor {
  return tf.mean(tf.mean(tf.square(error), -1), -1);
}

/** Rows for columns, in each member. */
export function turned<T extends Matrices>(matrices: T): T {
  return tf.transpose(matrices, matrices.rank === 2 ? [1, 0] : [0, 2, 1]);
}

/** a b^T. On wasm transposeA and transposeB leave the fast path; libtensorflow reads a matrix either way. */
function timesTurned(a: Matrices, b: Matrices): Matrices {
  return nativeKernels() === undefined ? tf.matMul(a, turned(b)) : tf.matMul(a, b, false, true);
}

/** a^T b */
function turnedTimes(a: Matrices, b: Matrices): Matrices {
  return nativeKernels() === undefined ? tf.matMul(turned(a), b) : tf.matMul(a, b, true, false);
}

function throughActivation(activation: Layer['activation'], output: Matrices, delta: Matrices): Matrices {
  const native = nativeKernels();
  if (activation === 'relu') return native?.reluGradient(delta, output) ?? tf.mul(delta, tf.step(output));
  if (activation === 'tanh') return native?.tanhGradient(delta, output) ?? tf.mul(delta, tf.sub(1, tf.square(output)));
  return delta;
}

/** On wasm by tanh(x) = 2 sigmoid(2x) - 1, within 2e-7: sigmoid is fourteen times as fast as tanh there. */
function tanh(x: Matrices): Matrices {
  return nativeKernels() === undefined ? tf.sub(tf.mul(tf.sigmoid(tf.mul(x, 2)), 2), 1) : tf.tanh(x);
}

function at<T>(items: readonly T[], i: number): T {
  const item = items[i];
  if (item === undefined) throw new Error(`no layer ${i}`);
  return item;
}
