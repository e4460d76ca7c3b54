/** What the ways of computing a step of Adam have in common. */
import type * as tf from '@tensorflow/tfjs-core';

export const BETA1 = 0.9;
export const BETA2 = 0.999;
export const EPSILON = 1e-8;

/**
 * How the moments are kept: as running means, as the paper has them, or those divided by (1 - b1) and (1 - b2): sums with
 * fading weights. A state goes on to the bit where it is kept as it was saved.
 */
export type Moments = 'means' | 'sums';

/** Each `[members, rows, ROW]`. */
export type AdamValues = {
  readonly parameters: tf.Tensor3D;
  readonly first: tf.Tensor3D;
  readonly second: tf.Tensor3D;
};

export interface MemberStep {
  readonly learningRate: number;
  /** With this one. */
  readonly steps: number;
}

export interface AdamUpdate {
  readonly moments: Moments;
  /**
   * @param values may be disposed
   * @param gradient with the elastic net, in the shape of the values
   * @returns their successors
   */
  apply(values: AdamValues, gradient: tf.Tensor3D, members: readonly MemberStep[]): AdamValues;
  dispose(): void;
}
