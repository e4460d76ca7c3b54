/** Adam with an elastic net, over all parameters as one flat tensor: a dozen operations a step for any depth. */
import * as tf from '@tensorflow/tfjs-core';

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

export interface OptimiserSettings {
  readonly learningRate: number;
  /** L2 in Adam's coupled form: gradient += weightDecay * parameter, before the moments. */
  readonly weightDecay: number;
  /** Weight of sum|parameter|, as far as it is trained; 0 where it is only reported. */
  readonly l1: number;
}

/** All that the next step depends on, as the flat values of `[rows, ROW]` matrices. */
export interface AdamState {
  readonly parameters: Float32Array;
  /** The moments divided by (1 - b1) and (1 - b2), as {@link Adam} keeps them. */
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Taken so far. */
  readonly steps: number;
}

/**
 * Adam (Kingma and Ba, 2015) as PyTorch computes it:
 * `p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
 * The moments are kept divided by (1 - b1) and (1 - b2), which saves two passes over the parameters a step.
 */
export class Adam {
  private readonly settings: OptimiserSettings;
  private current: tf.Tensor2D;
  private first: tf.Tensor2D;
  private second: tf.Tensor2D;
  private steps = 0;

  /** @param initial the flat parameters; Adam owns the tensor from here on. */
  constructor(initial: tf.Tensor2D, settings: OptimiserSettings) {
    this.settings = settings;
    this.current = tf.keep(initial);
    this.first = tf.keep(tf.zeros(initial.shape));
    this.second = tf.keep(tf.zeros(initial.shape));
  }

  /** Valid until the next step. */
  get parameters(): tf.Tensor2D {
    return this.current;
  }

  /** @param gradient of the loss without the elastic net, in the parameters' shape. */
  step(gradient: tf.Tensor2D): void {
    this.steps++;
    const { learningRate } = this.settings;
    const unbiased2 = Math.sqrt((1 - BETA2) / (1 - BETA2 ** this.steps));
    const rate = (learningRate * (1 - BETA1)) / (1 - BETA1 ** this.steps) / unbiased2;

    const next = tf.tidy(() => {
      const full = this.regularised(gradient);
      const first = tf.add<tf.Tensor2D>(tf.mul(this.first, BETA1), full);
      const second = tf.add<tf.Tensor2D>(tf.mul(this.second, BETA2), tf.square(full));
      const move = tf.div(tf.mul(first, rate), tf.add(tf.sqrt(second), EPSILON / unbiased2));
      return { first, second, parameters: tf.sub<tf.Tensor2D>(this.current, move) };
    });
    this.dispose();
    this.current = tf.keep(next.parameters);
    this.first = tf.keep(next.first);
    this.second = tf.keep(next.second);
  }

  /** Reads back from the device; not while a step is taken. */
  async save(): Promise<AdamState> {
    return {
      parameters: await this.current.data<'float32'>(),
      first: await this.first.data<'float32'>(),
      second: await this.second.data<'float32'>(),
      steps: this.steps,
    };
  }

  /** Goes on from another's state; its matrices are of this one's shape. */
  restore({ parameters, first, second, steps }: AdamState): void {
    const { shape } = this.current;
    this.dispose();
    this.current = tf.keep(tf.tensor2d(parameters, shape));
    this.first = tf.keep(tf.tensor2d(first, shape));
    this.second = tf.keep(tf.tensor2d(second, shape));
    this.steps = steps;
  }

  dispose(): void {
    tf.dispose([this.current, this.first, this.second]);
  }

  private regularised(gradient: tf.Tensor2D): tf.Tensor2D {
    const { weightDecay, l1 } = this.settings;
    let full = gradient;
    if (weightDecay !== 0) full = tf.add(full, tf.mul(this.current, weightDecay));
    if (l1 !== 0) full = tf.add(full, l1Gradient(this.current, l1));
    return full;
  }
}

/** weight * sign(p), 0 at 0. Within 1e-30 of 0 it is a slope instead; tf.sign takes six times as long on wasm. */
function l1Gradient(parameters: tf.Tensor2D, weight: number): tf.Tensor2D {
  return tf.clipByValue(tf.mul(parameters, weight * 1e30), -weight, weight);
}
