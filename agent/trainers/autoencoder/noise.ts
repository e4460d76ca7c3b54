/** The noise of denoising runs. */
import * as tf from '@tensorflow/tfjs-core';
import { normals } from './normal.ts';
import type { Random } from './random.ts';

export interface Noise {
  /** Standard deviation; 0: none. */
  readonly std: number;
  readonly random: Random;
}

/**
 * clamp(x + N(0, std^2), -1, 1), drawn anew at every call.
 * @param rows clean images, `[noises * batch, pixels]` in [-1, 1]: as many for each noise, one after the other; the
 * noise is drawn image by image.
 */
export function withNoise(rows: tf.Tensor2D, noises: readonly Noise[]): tf.Tensor2D {
  const each = rows.size / noises.length;
  // A new array each time: the native backends go on reading the one they were given.
  const drawn = new Float32Array(rows.size);
  noises.forEach(({ std, random }, at) => {
    if (std > 0) drawn.set(normals(each, std, random), at * each);
  });
  return tf.clipByValue(tf.add(rows, tf.tensor2d(drawn, rows.shape)), -1, 1);
}
