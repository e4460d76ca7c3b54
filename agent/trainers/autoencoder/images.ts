/** Images between the host's bytes and the device's tensors. */
import * as tf from '@tensorflow/tfjs-core';
import type { Images } from '../../data/idx.ts';
import { PIXELS } from './model.ts';

/** x / 127.5 - 1 for each byte: pixels in [-1, 1]. */
const SCALED = Float32Array.from({ length: 256 }, (_, byte) => byte / 127.5 - 1);

/** Images `from` up to `to` on the device: `[images, pixels]`, scaled to [-1, 1]. */
export function deviceRows(images: Images, from: number, to: number): tf.Tensor2D {
  const bytes = images.pixels.subarray(from * PIXELS, to * PIXELS);
  const scaled = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) scaled[i] = SCALED[bytes[i] ?? 0] ?? 0;
  return tf.tensor2d(scaled, [to - from, PIXELS]);
}

/**
 * Images back as bytes, image by image: round((x + 1) * 127.5) of each pixel x, cut off at 0 and 255.
 * @param columns `[pixels, images]`
 */
export async function bytesOf(columns: tf.Tensor2D): Promise<Uint8Array> {
  const rows = tf.transpose(columns);
  try {
    return Uint8Array.from(await rows.data(), (x) => Math.min(255, Math.max(0, Math.round((x + 1) * 127.5))));
  } finally {
    rows.dispose();
  }
}

/** The rows of those indices: gatherND copies whole rows, eighty times as fast as gather on wasm. */
export function pickRows(rows: tf.Tensor2D, indices: Int32Array): tf.Tensor2D {
  return tf.gatherND(rows, tf.tensor2d(indices, [indices.length, 1], 'int32')) as tf.Tensor2D;
}
