/** The network's parameters on the device: one flat matrix for the optimiser, one tensor a weight for the passes. */
import * as tf from '@tensorflow/tfjs-core';
import { ROW } from './model.js';
/** Cuts the flat `[rows, ROW]` matrix into each layer's weight and bias. */
export function unflatten(flat, layers, layout) {
    const parts = pieces(flat, layout);
    return layers.map((layer, i) => ({
        layer,
        weight: tf.reshape(part(parts, 2 * i), [layer.outputs, layer.inputs]),
        bias: tf.reshape(part(parts, 2 * i + 1), [layer.outputs, 1]),
    }));
}
/** Joins tensors in the layout's order (weight, bias, weight, ...) into a flat `[rows, ROW]` matrix. */
export function flatten(parts, { parameters, rows }) {
    const vectors = parts.map((tensor) => tf.reshape(tensor, [-1]));
    const padding = tf.zeros([rows * ROW - parameters]);
    return tf.reshape(tf.concat([...vectors, padding]), [rows, ROW]);
}
function pieces(flat, { sizes, parameters, rows }) {
    if (tf.getBackend() !== 'wasm')
        return tf.split(tf.reshape(flat, [-1]), [...sizes, rows * ROW - parameters]).slice(0, sizes.length);
    // Each slice on wasm copies the whole source first: 3 ms for the 3-layer net, against 0.4 ms through the host.
    const values = flat.dataSync();
    let at = 0;
    return sizes.map((size) => {
        at += size;
        return tf.tensor1d(values.subarray(at - size, at));
    });
}
function part(parts, i) {
    const tensor = parts[i];
    if (tensor === undefined)
        throw new Error(`the layout has no part ${i}`);
    return tensor;
}
//# sourceMappingURL=parameters.js.map