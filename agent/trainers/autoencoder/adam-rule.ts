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

/** All that a member's next step depends on, as the flat values of its `[rows, ROW]` matrices. */
export interface AdamState {
  readonly parameters: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** How both moments are kept. */
  readonly moments: Moments;
  /** Taken so far. */
  readonly steps: number;
}

/** The state with its moments kept that way. */
export function momentsAs(moments: Moments, state: AdamState): AdamState {
  if (moments === state.moments) return state;
  const rescaled = (values: Float32Array, share: number) =>
    values.map(moments === 'means' ? (sum) => sum * share : (mean) => mean / share);
  return {
    ...state,
    moments,
    first: rescaled(state.first, 1 - BETA1),
    second: rescaled(state.second, 1 - BETA2),
  };
}

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
