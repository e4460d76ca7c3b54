/** Images between the host's bytes and the device's tensors. */
import * as tf from '@tensorflow/tfjs-core';
import { PIXELS } from './model.js';
/** x / 127.5 - 1 for each byte: pixels in [-1, 1]. */
const SCALED = Float32Array.from({ length: 256 }, (_, byte) => byte / 127.5 - 1);
/** Images `from` up to `to` on the device: `[images, pixels]`, scaled to [-1, 1]. */
export function deviceRows(images, from, to) {
    const bytes = images.pixels.subarray(from * PIXELS, to * PIXELS);
    const scaled = new Float32Array(bytes.length);
    for (let i = 0; i < bytes.length; i++)
        scaled[i] = SCALED[bytes[i] ?? 0] ?? 0;
    return tf.tensor2d(scaled, [to - from, PIXELS]);
}
/** The rows of those indices: gatherND copies whole rows, eighty times as fast as gather on wasm. */
export function pickRows(rows, indices) {
    return tf.gatherND(rows, tf.tensor2d(indices, [indices.length, 1], 'int32'));
}
//# sourceMappingURL=images.js.map