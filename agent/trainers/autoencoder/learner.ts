/** The network being trained: its parameters, its optimiser and one step. */
import * as tf from '@tensorflow/tfjs-core';
import { initialParameters, type Layer, type Layout, layersOf, layoutOf, ROW } from './model.ts';
import { withNoise } from './noise.ts';
import { Adam, type AdamState } from './optimiser.ts';
import { flatten, type LayerTensors, unflatten } from './parameters.ts';
import { backward, forward, meanSquare, outputOf } from './passes.ts';
import { Random, STREAMS } from './random.ts';
import type { Settings } from './settings.ts';

/** All that the next step depends on. */
export interface LearnerState {
  readonly adam: AdamState;
  /** Where the generator of the training noise stands. */
  readonly noise: Int32Array;
}

export class Learner {
  private readonly settings: Settings;
  readonly layers: readonly Layer[];
  private readonly layout: Layout;
  private readonly adam: Adam;
  private readonly noise: Random;

  constructor(settings: Settings, seed: number) {
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
  get parameters(): tf.Tensor2D {
    return this.adam.parameters;
  }

  /** Of the parameters' matrix. */
  get rows(): number {
    return this.layout.rows;
  }

  /** What the network makes of images as they are: `[pixels, images]` to the same shape. Runs within a tidy. */
  reconstruct(input: tf.Tensor2D): tf.Tensor2D {
    return outputOf(forward(this.network(), input));
  }

  /**
   * One step of training on a batch of clean images, `[batch, pixels]`.
   * @returns the losses before the update, as `[mse, l1]` on the device: mean squared error and lambda_l1 * sum|parameter|.
   */
  step(clean: tf.Tensor2D): tf.Tensor1D {
    return tf.tidy(() => {
      const { noiseStd } = this.settings;
      const inputRows = noiseStd > 0 ? withNoise(clean, noiseStd, this.noise) : clean;
      const input = tf.transpose(inputRows);
      const target = noiseStd > 0 ? tf.transpose(clean) : input;

      const network = this.network();
      const activations = forward(network, input);
      const error = tf.sub<tf.Tensor2D>(outputOf(activations), target);
      const losses = tf.stack([meanSquare(error), this.l1()]) as tf.Tensor1D;
      this.adam.step(flatten(backward(network, activations, inputRows, error), this.layout));
      return losses;
    });
  }

  /** sum|parameter|; not finite as soon as one parameter is not. */
  async absoluteSum(): Promise<number> {
    const sum = tf.tidy(() => absoluteSum(this.adam.parameters));
    try {
      return (await sum.data())[0] ?? Number.NaN;
    } finally {
      sum.dispose();
    }
  }

  /** Reads back from the device; not while a step is taken. */
  async save(): Promise<LearnerState> {
    return { adam: await this.adam.save(), noise: this.noise.save() };
  }

  /** Goes on from the state of another learner of the same settings. */
  restore({ adam, noise }: LearnerState): void {
    this.adam.restore(adam);
    this.noise.restore(noise);
  }

  dispose(): void {
    this.adam.dispose();
  }

  private network(): readonly LayerTensors[] {
    return unflatten(this.adam.parameters, this.layers, this.layout);
  }

  private l1(): tf.Scalar {
    const { lambdaL1 } = this.settings;
    return lambdaL1 === 0 ? tf.scalar(0) : tf.mul(absoluteSum(this.adam.parameters), lambdaL1);
  }
}

function absoluteSum(parameters: tf.Tensor2D): tf.Scalar {
  return tf.sum(tf.sum(tf.abs(parameters), 1));
}
