/**
 * Members of one pack may have latent dimensions of their own: their parameters are laid out for the largest of them,
 * with zeros in the rows and columns that a smaller one lacks. Those stay zero by themselves: what flows through them is
 * zero, so are their gradients, and a zero decays to zero.
 */
import { type Layer, layoutOf, ROW } from './model.ts';

/** A network's flat parameters in its own layout, laid out for layers that are as wide or wider. */
export function padded(own: Float32Array, ownLayers: readonly Layer[], layers: readonly Layer[]): Float32Array {
  const wide = new Float32Array(layoutOf(layers).rows * ROW);
  for (const { from, to, length } of runs(ownLayers, layers)) wide.set(own.subarray(from, from + length), to);
  return wide;
}

/** The other way round. */
export function unpadded(wide: Float32Array, ownLayers: readonly Layer[], layers: readonly Layer[]): Float32Array {
  const own = new Float32Array(layoutOf(ownLayers).rows * ROW);
  for (const { from, to, length } of runs(ownLayers, layers)) own.set(wide.subarray(to, to + length), from);
  return own;
}

/** Where each row of a weight, and each bias, begins in the own layout (`from`) and in the wide one (`to`). */
function* runs(ownLayers: readonly Layer[], layers: readonly Layer[]) {
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
