/**
 * The forward and backward passes, without automatic differentiation. Activations are columns, `[features, batch]`, and
 * weights are `[outputs, inputs]`. In this layout, the right operand of a product is always a batch and never a weight.
 * Otherwise the wasm backend would repack the weights in every step, because it repacks a right operand that has
 * changed. For a pack, all shapes start with the number of members: `[members, features, batch]`.
 */
import * as tf from '@tensorflow/tfjs-core';
import { nativeKernels } from './libtensorflow.ts';
import type { Layer } from './model.ts';
import type { LayerTensors, Matrices } from './parameters.ts';

/** The output of each layer, `[outputs, batch]`. The last output is the reconstruction. */
export type Activations = readonly Matrices[];

/**
 * Returns the gradients and the mean squared error of a batch.
 * @param inputRows `[batch, pixels]`, or `[members, batch, pixels]` for a stacked network
 * @param targetRows the clean images, in the same shape
 */
export function gradientsOf<T extends Matrices>(network: readonly LayerTensors[], inputRows: T, targetRows: T) {
  const input = transposed(inputRows);
  const target = inputRows === targetRows ? input : transposed(targetRows);
  const activations = forward(network, input);
  const error = tf.sub<Matrices>(outputOf(activations), target);
  return { gradients: backward(network, activations, inputRows, error), square: meanSquare(error) };
}

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
 * Returns the gradients of the mean squared error between reconstruction and target, separately for each member of a
 * pack.
 * @param inputRows the input of the forward pass, transposed: `[batch, pixels]`
 * @param error reconstruction minus target, `[pixels, batch]`
 * @returns the gradients of each layer's weight and bias, in the layout's order
 */
function backward(
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
    delta = activationGradient(layer.activation, at(activations, i), delta);
    const weightGradient = i > 0 ? timesTransposed(delta, at(activations, i - 1)) : tf.matMul(delta, inputRows);
    gradients.unshift(weightGradient, tf.sum(delta, -1));
    if (i > 0) delta = transposedTimes(weight, delta);
  }
  return gradients;
}

/** Returns the reconstruction. */
export function outputOf(activations: Activations): Matrices {
  return at(activations, activations.length - 1);
}

/**
 * Returns the mean square of `[rows, columns]`: one scalar, or one value per member of a pack. The mean is computed in
 * two stages, so that the float32 result is accurate.
 */
function meanSquare(error: Matrices): tf.Tensor {
  return tf.mean(tf.mean(tf.square(error), -1), -1);
}

/** Transposes the matrix of each member. */
function transposed<T extends Matrices>(matrices: T): T {
  return tf.transpose(matrices, matrices.rank === 2 ? [1, 0] : [0, 2, 1]);
}

/** Returns a * transpose(b). The option transposeB of matMul is slow on wasm, and fast on libtensorflow. */
function timesTransposed(a: Matrices, b: Matrices): Matrices {
  return nativeKernels() === undefined ? tf.matMul(a, transposed(b)) : tf.matMul(a, b, false, true);
}

/** Returns transpose(a) * b. The option transposeA of matMul is slow on wasm, and fast on libtensorflow. */
function transposedTimes(a: Matrices, b: Matrices): Matrices {
  return nativeKernels() === undefined ? tf.matMul(transposed(a), b) : tf.matMul(a, b, true, false);
}

function activationGradient(activation: Layer['activation'], output: Matrices, delta: Matrices): Matrices {
  const native = nativeKernels();
  if (activation === 'relu') return native?.reluGradient(delta, output) ?? tf.mul(delta, tf.step(output));
  if (activation === 'tanh') return native?.tanhGradient(delta, output) ?? tf.mul(delta, tf.sub(1, tf.square(output)));
  return delta;
}

/**
 * On wasm, computes tanh(x) as 2 sigmoid(2x) - 1, because sigmoid is fourteen times as fast as tanh there. The error is
 * at most 2e-7.
 */
function tanh(x: Matrices): Matrices {
  return nativeKernels() === undefined ? tf.sub(tf.mul(tf.sigmoid(tf.mul(x, 2)), 2), 1) : tf.tanh(x);
}

function at<T>(items: readonly T[], i: number): T {
  const item = items[i];
  if (item === undefined) throw new Error(`there is no layer ${i}`);
  return item;
}
