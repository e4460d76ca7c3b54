/**
 * The forward and the backward pass, written out by hand. Activations are columns, `[features, batch]`, and weights are
 * `[outputs, inputs]`: the wasm backend packs the right operand of every product anew when it has changed, and this way
 * that is a batch, never the weights. A product is a plain 2-D matMul of explicit transposes; transposeA and transposeB
 * leave that backend's fast path.
 */
import * as tf from '@tensorflow/tfjs-core';
/** @param input `[pixels, batch]` */
export function forward(network, input) {
    const activations = [];
    let x = input;
    for (const { layer, weight, bias } of network) {
        const z = tf.add(tf.matMul(weight, x), bias);
        x = layer.activation === 'relu' ? tf.relu(z) : layer.activation === 'tanh' ? tanh(z) : z;
        activations.push(x);
    }
    return activations;
}
/**
 * Gradients of the mean squared error between the reconstruction and `target`.
 * @param inputRows the forward pass's input transposed: `[batch, pixels]`.
 * @param error reconstruction minus target, `[pixels, batch]`.
 * @returns for each layer its weight's and its bias's gradient, in the layout's order.
 */
export function backward(network, activations, inputRows, error) {
    const gradients = [];
    let delta = tf.mul(error, 2 / error.size);
    for (let i = network.length - 1; i >= 0; i--) {
        const { layer, weight } = at(network, i);
        delta = throughActivation(layer.activation, at(activations, i), delta);
        const below = i > 0 ? tf.transpose(at(activations, i - 1)) : inputRows;
        gradients.unshift(tf.matMul(delta, below), tf.sum(delta, 1));
        if (i > 0)
            delta = tf.matMul(tf.transpose(weight), delta);
    }
    return gradients;
}
/** The reconstruction. */
export function outputOf(activations) {
    return at(activations, activations.length - 1);
}
/** Mean of the squares of `[rows, columns]`, as a scalar; in two stages, for float32's sake. */
export function meanSquare(error) {
    return tf.mean(tf.mean(tf.square(error), 1));
}
function throughActivation(activation, output, delta) {
    if (activation === 'relu')
        return tf.mul(delta, tf.step(output));
    if (activation === 'tanh')
        return tf.mul(delta, tf.sub(1, tf.square(output)));
    return delta;
}
/** tanh(x) = 2 sigmoid(2x) - 1, within 2e-7: sigmoid is fourteen times as fast as tanh on wasm. */
function tanh(x) {
    return tf.sub(tf.mul(tf.sigmoid(tf.mul(x, 2)), 2), 1);
}
function at(items, i) {
    const item = items[i];
    if (item === undefined)
        throw new Error(`no layer ${i}`);
    return item;
}
//# sourceMappingURL=passes.js.map