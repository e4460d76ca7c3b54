/** Converts images between bytes and tensors, splits an epoch into batches, and adds the noise of denoising runs. */
import * as tf from '@tensorflow/tfjs-core';
import type { ImageFile, Images } from '../../data/idx.ts';
import { isOnGpu } from './libtensorflow.ts';
import { PIXELS } from './model.ts';
import { normals, type Random } from './random.ts';

const SCALED = Float32Array.from({ length: 256 }, (_, byte) => byte / 127.5 - 1);

function rowsOf(bytes: Uint8Array): tf.Tensor2D {
  const scaled = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) scaled[i] = SCALED[bytes[i] ?? 0] ?? 0;
  return tf.tensor2d(scaled, [bytes.length / PIXELS, PIXELS]);
}

/**
 * Copies a range of images to the device: `[images, pixels]`, with pixels in [-1, 1].
 * @param to the index after the last image of the range
 */
export function deviceRows(images: Images, from: number, to: number): tf.Tensor2D {
  return rowsOf(images.pixels.subarray(from * PIXELS, to * PIXELS));
}

/**
 * Converts images back to bytes, image by image: each pixel x becomes round((x + 1) * 127.5), limited to 0 to 255.
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

/** The images of a file. */
export type ImageSource = Pick<ImageFile, 'read'>;

/** The training images from which batches are taken. */
export interface TrainImages {
  /** Returns the images at these indices: `[indices, pixels]`, scaled to [-1, 1]. The caller owns the tensor. */
  pick(indices: Int32Array): tf.Tensor2D;
  dispose(): void;
}

/**
 * Returns the first `count` images for an engine that has no `loop` (see engine.ts). On a GPU, the images are on the
 * device, and a batch needs no transfer. On a CPU, the images stay in the file, which all workers share. It takes only
 * a fraction of a millisecond to read and scale a batch. If each worker kept the scaled images instead, each would need
 * 188 MB for them.
 */
export function trainImages(file: ImageSource, count: number): TrainImages {
  return isOnGpu() ? onDevice(file, count) : { pick: (indices) => rowsOf(file.read(indices)), dispose: () => {} };
}

/** Returns the first `count` images in one tensor: `[images, pixels]`, scaled to [-1, 1]. */
export function rowsOfImages(file: ImageSource, count: number): tf.Tensor2D {
  return rowsOf(file.read(Int32Array.from({ length: count }, (_, i) => i)));
}

/** Returns the first `count` images in one tensor on the device. */
export function onDevice(file: ImageSource, count: number): TrainImages {
  const rows = rowsOfImages(file, count);
  return {
    pick: (indices) =>
      tf.tidy(() => tf.gatherND(rows, tf.tensor2d(indices, [indices.length, 1], 'int32')) as tf.Tensor2D),
    dispose: () => rows.dispose(),
  };
}

export interface Noise {
  /** The standard deviation. A deviation of zero means no noise. */
  readonly std: number;
  readonly random: Random;
}

/**
 * Adds Gaussian noise to images: each pixel x becomes x + N(0, std^2), limited to [-1, 1]. Each call draws new random
 * numbers, image by image.
 * @param rows clean images with pixels in [-1, 1], `[noises * batch, pixels]`: `batch` images for each element of
 * `noises`, in order
 */
export function withNoise(rows: tf.Tensor2D, noises: readonly Noise[]): tf.Tensor2D {
  const each = rows.size / noises.length;
  // Do not reuse the array, because native backends may read it after this function has returned.
  const drawn = new Float32Array(rows.size);
  noises.forEach(({ std, random }, at) => {
    if (std > 0) drawn.set(normals(each, std, random), at * each);
  });
  return tf.clipByValue(tf.add(rows, tf.tensor2d(drawn, rows.shape)), -1, 1);
}

/**
 * Yields the image indices for each step of an epoch: one batch per member, in the member's image order. The last batch
 * can be shorter.
 * @param orders one order per member, all of the same length
 */
export function* batchesOf(orders: readonly Int32Array[], batchSize: number): Generator<Int32Array> {
  const images = orders[0]?.length ?? 0;
  for (let from = 0; from < images; from += batchSize) {
    const size = Math.min(batchSize, images - from);
    const batch = new Int32Array(size * orders.length);
    for (const [at, order] of orders.entries()) batch.set(order.subarray(from, from + size), at * size);
    yield batch;
  }
}

/**
 * Groups consecutive batches of the same size.
 * @param most returns the maximum number of batches in the next group
 */
export function* groupsOf(batches: Iterable<Int32Array>, most: () => number): Generator<readonly Int32Array[]> {
  let group: Int32Array[] = [];
  for (const batch of batches) {
    if (group.length > 0 && (group.length >= most() || group[0]?.length !== batch.length)) {
      yield group;
      group = [];
    }
    group.push(batch);
  }
  if (group.length > 0) yield group;
}
