/** The noise of denoising runs. */
import * as tf from '@tensorflow/tfjs-core';
import { normals } from './normal.js';
/**
 * clamp(x + N(0, std^2), -1, 1), drawn anew at every call.
 * @param rows clean images, `[batch, pixels]` in [-1, 1]; the noise is drawn image by image.
 */
export function withNoise(rows, std, random) {
    // A new array each time: the native backends go on reading the one they were given.
    const noise = tf.tensor2d(normals(rows.size, std, random), rows.shape);
    return tf.clipByValue(tf.add(rows, noise), -1, 1);
}
//# sourceMappingURL=noise.js.map