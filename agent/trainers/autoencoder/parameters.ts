/** The networks' parameters on the device: one flat matrix a member for the optimiser, a tensor a weight for the passes. */
import * as tf from '@tensorflow/tfjs-core';
import { type Layer, type Layout, ROW } from './model.ts';

/** A matrix, or one for each member of a pack: `[members, rows, columns]`. */
export type Matrices = tf.Tensor2D | tf.Tensor3D;

export interface LayerTensors {
  readonly layer: Layer;
  /** `[outputs, inputs]`, or with the members in front. */
  readonly weight: Matrices;
  /** `[outputs, 1]`, or with the members in front. */
  readonly bias: Matrices;
}

/** Cuts `[members, rows, ROW]` into each layer's weights and biases, of all members together: `[members, ...]`. */
export function stackedNetwork(flat: tf.Tensor3D, layers: readonly Layer[], layout: Layout): readonly LayerTensors[] {
  const [members] = flat.shape;
  const parts = tf.tidy(() => tf.split(tf.reshape(flat, [members, -1]), piecesOf(layout), 1));
  return layers.map((layer, i) => ({
    layer,
    weight: tf.reshape(part(parts, 2 * i), [members, layer.outputs, layer.inputs]) as tf.Tensor3D,
    bias: tf.reshape(part(parts, 2 * i + 1), [members, layer.outputs, 1]) as tf.Tensor3D,
  }));
}

/** Cuts `[members, rows, ROW]` into the weights and biases of one member after the other. */
export function networks(
  flat: tf.Tensor3D,
  layers: readonly Layer[],
  layout: Layout,
): readonly (readonly LayerTensors[])[] {
  const [members] = flat.shape;
  const parts = tf.getBackend() === 'wasm' ? throughHost(flat, layout) : cut(flat, layout);
  const each = parts.length / members;
  return Array.from({ length: members }, (_, member) =>
    layers.map((layer, i) => ({
      layer,
      weight: tf.reshape(part(parts, member * each + 2 * i), [layer.outputs, layer.inputs]) as tf.Tensor2D,
      bias: tf.reshape(part(parts, member * each + 2 * i + 1), [layer.outputs, 1]) as tf.Tensor2D,
    })),
  );
}

/** Joins tensors in the layout's order (weight, bias, weight, ...) into one member's flat matrix, `[1, rows, ROW]`. */
export function flatten(parts: readonly tf.Tensor[], { parameters, rows }: Layout): tf.Tensor3D {
  const vectors = parts.map((tensor) => tf.reshape(tensor, [-1]));
  const padding = tf.zeros([rows * ROW - parameters]);
  return tf.reshape(tf.concat([...vectors, padding]), [1, rows, ROW]);
}

/** The same of tensors with the members in front: `[members, rows, ROW]`. */
export function flattenStacked(parts: readonly tf.Tensor[], { parameters, rows }: Layout): tf.Tensor3D {
  const members = parts[0]?.shape[0] ?? 0;
  const vectors = parts.map((tensor) => tf.reshape(tensor, [members, -1]));
  const padding = tf.zeros([members, rows * ROW - parameters]);
  return tf.reshape(tf.concat([...vectors, padding], 1), [members, rows, ROW]);
}

/** Sizes of a member's pieces, the padding last. */
function piecesOf({ sizes, parameters, rows }: Layout): number[] {
  return [...sizes, rows * ROW - parameters];
}

function cut(flat: tf.Tensor3D, layout: Layout): readonly tf.Tensor[] {
  const pieces = piecesOf(layout);
  const [members] = flat.shape;
  const all = Array.from({ length: members }, () => pieces).flat();
  // The reshaped tensor shares the values: as long as it lives, libtensorflow cannot update them in place.
  return tf.tidy(() => tf.split(tf.reshape(flat, [-1]), all));
}

/** Each slice on wasm copies the whole source first: 3 ms for the 3-layer net, against 0.4 ms through the host. */
function throughHost(flat: tf.Tensor3D, layout: Layout): readonly tf.Tensor[] {
  const values = flat.dataSync();
  const pieces = piecesOf(layout);
  const [members] = flat.shape;
  let at = 0;
  return Array.from({ length: members }, () => pieces).flatMap((sizes) =>
    sizes.map((size) => {
      at += size;
      return tf.tensor1d(values.subarray(at - size, at));
    }),
  );
}

function part(parts: readonly tf.Tensor[], i: number): tf.Tensor {
  const tensor = parts[i];
  if (tensor === undefined) throw new Error(`the layout has no part ${i}`);
  return tensor;
}
