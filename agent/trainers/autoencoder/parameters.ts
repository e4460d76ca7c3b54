/**
 * The networks' parameters on the device: one flat matrix per member for the optimizer, and one tensor per weight
 * matrix or bias for the forward and backward passes.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type Layer, type ParameterLayout, parameterLayout, ROW } from './model.ts';

/** A matrix, or one matrix per member of a pack: `[members, rows, columns]`. */
export type Matrices = tf.Tensor2D | tf.Tensor3D;

export interface LayerTensors {
  readonly layer: Layer;
  /** `[outputs, inputs]`, or `[members, outputs, inputs]` for a pack. */
  readonly weight: Matrices;
  /** `[outputs, 1]`, or `[members, outputs, 1]` for a pack. */
  readonly bias: Matrices;
}

/**
 * Splits the flat matrices `[members, rows, ROW]` into the weights and the biases of each layer. Each tensor has the
 * values of all members: `[members, ...]`.
 */
export function stackedNetwork(
  flat: tf.Tensor3D,
  layers: readonly Layer[],
  layout: ParameterLayout,
): readonly LayerTensors[] {
  const [members] = flat.shape;
  const parts = tf.tidy(() => tf.split(tf.reshape(flat, [members, -1]), partSizes(layout), 1));
  return layers.map((layer, i) => ({
    layer,
    weight: tf.reshape(part(parts, 2 * i), [members, layer.outputs, layer.inputs]) as tf.Tensor3D,
    bias: tf.reshape(part(parts, 2 * i + 1), [members, layer.outputs, 1]) as tf.Tensor3D,
  }));
}

/** Splits `[members, rows, ROW]` into the weights and biases of each member. */
export function networks(
  flat: tf.Tensor3D,
  layers: readonly Layer[],
  layout: ParameterLayout,
): readonly (readonly LayerTensors[])[] {
  const [members] = flat.shape;
  const parts = split(flat, layout);
  const each = parts.length / members;
  return Array.from({ length: members }, (_, member) =>
    layers.map((layer, i) => ({
      layer,
      weight: tf.reshape(part(parts, member * each + 2 * i), [layer.outputs, layer.inputs]) as tf.Tensor2D,
      bias: tf.reshape(part(parts, member * each + 2 * i + 1), [layer.outputs, 1]) as tf.Tensor2D,
    })),
  );
}

/**
 * Concatenates tensors in the layout's order (weight, bias, weight, ...) into one member's flat matrix,
 * `[1, rows, ROW]`.
 */
export function flatten(parts: readonly tf.Tensor[], { parameters, rows }: ParameterLayout): tf.Tensor3D {
  const vectors = parts.map((tensor) => tf.reshape(tensor, [-1]));
  const padding = tf.zeros([rows * ROW - parameters]);
  return tf.reshape(tf.concat([...vectors, padding]), [1, rows, ROW]);
}

/** Does the same as {@link flatten} for tensors of all members: `[members, rows, ROW]`. */
export function flattenStacked(parts: readonly tf.Tensor[], { parameters, rows }: ParameterLayout): tf.Tensor3D {
  const members = parts[0]?.shape[0] ?? 0;
  const vectors = parts.map((tensor) => tf.reshape(tensor, [members, -1]));
  const padding = tf.zeros([members, rows * ROW - parameters]);
  return tf.reshape(tf.concat([...vectors, padding], 1), [members, rows, ROW]);
}

function partSizes({ sizes, parameters, rows }: ParameterLayout): number[] {
  return [...sizes, rows * ROW - parameters];
}

function split(flat: tf.Tensor3D, layout: ParameterLayout): readonly tf.Tensor[] {
  const sizesOfMember = partSizes(layout);
  const [members] = flat.shape;
  const all = Array.from({ length: members }, () => sizesOfMember).flat();
  // The tidy disposes the reshaped tensor, which shares its values with the original. While the reshaped tensor exists,
  // libtensorflow cannot update the values in place.
  return tf.tidy(() => tf.split(tf.reshape(flat, [-1]), all));
}

function part(parts: readonly tf.Tensor[], i: number): tf.Tensor {
  const tensor = parts[i];
  if (tensor === undefined) throw new Error(`the layout has no part ${i}`);
  return tensor;
}

/**
 * Converts a network's flat parameters to the layout of a network with layers that are at least as wide. The members of
 * a pack may have different latent dimensions. All members are stored in the layout of the largest network, with zeros
 * in the rows and columns that a smaller network lacks. These zeros remain zero, because their gradients are zero, and
 * neither the L1 term nor weight decay changes a zero.
 */
export function padded(own: Float32Array, ownLayers: readonly Layer[], layers: readonly Layer[]): Float32Array {
  const wide = new Float32Array(parameterLayout(layers).rows * ROW);
  for (const { from, to, length } of copies(ownLayers, layers)) wide.set(own.subarray(from, from + length), to);
  return wide;
}

/** Reverses the conversion of {@link padded}. */
export function unpadded(wide: Float32Array, ownLayers: readonly Layer[], layers: readonly Layer[]): Float32Array {
  const own = new Float32Array(parameterLayout(ownLayers).rows * ROW);
  for (const { from, to, length } of copies(ownLayers, layers)) own.set(wide.subarray(to, to + length), from);
  return own;
}

function* copies(ownLayers: readonly Layer[], layers: readonly Layer[]) {
  let from = 0;
  let to = 0;
  for (const [i, own] of ownLayers.entries()) {
    const wide = layers[i] ?? own;
    for (let output = 0; output < own.outputs; output++) {
      yield { from: from + output * own.inputs, to: to + output * wide.inputs, length: own.inputs };
    }
    from += own.outputs * own.inputs;
    to += wide.outputs * wide.inputs;
    yield { from, to, length: own.outputs };
    from += own.outputs;
    to += wide.outputs;
  }
}
