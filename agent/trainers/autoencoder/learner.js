/** The network being trained: its parameters, its optimiser and one step. */
import * as tf from '@tensorflow/tfjs-core';
import { initialParameters, layersOf, layoutOf, ROW } from './model.js';
import { withNoise } from './noise.js';
import { Adam } from './optimiser.js';
import { flatten, unflatten } from './parameters.js';
import { backward, forward, meanSquare, outputOf } from './passes.js';
import { Random, STREAMS } from './random.js';
export class Learner {
    settings;
    layers;
    layout;
    adam;
    noise;
    constructor(settings, seed) {
        this.settings = settings;
        this.layers = layersOf(settings.depth, settings.latentDim);
        this.layout = layoutOf(this.layers);
        this.noise = new Random(seed, STREAMS.trainNoise);
        const initial = initialParameters(this.layers, new Random(seed, STREAMS.weights));
        this.adam = new Adam(tf.tensor2d(initial, [this.layout.rows, ROW]), {
            learningRate: settings.learningRate,
            weightDecay: settings.weightDecay,
            l1: settings.l1InGradient ? settings.lambdaL1 : 0,
        });
    }
    /** All parameters, `[rows, ROW]` in the layout's order; valid until the next step. */
    get parameters() {
        return this.adam.parameters;
    }
    /** What the network makes of images as they are: `[pixels, images]` to the same shape. Runs within a tidy. */
    reconstruct(input) {
        return outputOf(forward(this.network(), input));
    }
    /**
     * One step of training on a batch of clean images, `[batch, pixels]`.
     * @returns the losses before the update, as `[mse, l1]` on the device: mean squared error and lambda_l1 * sum|parameter|.
     */
    step(clean) {
        return tf.tidy(() => {
            const { noiseStd } = this.settings;
            const inputRows = noiseStd > 0 ? withNoise(clean, noiseStd, this.noise) : clean;
            const input = tf.transpose(inputRows);
            const target = noiseStd > 0 ? tf.transpose(clean) : input;
            const network = this.network();
            const activations = forward(network, input);
            const error = tf.sub(outputOf(activations), target);
            const losses = tf.stack([meanSquare(error), this.l1()]);
            this.adam.step(flatten(backward(network, activations, inputRows, error), this.layout));
            return losses;
        });
    }
    /** sum|parameter|; not finite as soon as one parameter is not. */
    async absoluteSum() {
        const sum = tf.tidy(() => absoluteSum(this.adam.parameters));
        try {
            return (await sum.data())[0] ?? Number.NaN;
        }
        finally {
            sum.dispose();
        }
    }
    dispose() {
        this.adam.dispose();
    }
    network() {
        return unflatten(this.adam.parameters, this.layers, this.layout);
    }
    l1() {
        const { lambdaL1 } = this.settings;
        return lambdaL1 === 0 ? tf.scalar(0) : tf.mul(absoluteSum(this.adam.parameters), lambdaL1);
    }
}
function absoluteSum(parameters) {
    return tf.sum(tf.sum(tf.abs(parameters), 1));
}
//# sourceMappingURL=learner.js.map