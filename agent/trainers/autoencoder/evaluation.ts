/** Evaluates the loss over all test images, which are kept on the device. */
import * as tf from '@tensorflow/tfjs-core';
import type { Images } from '../../data/idx.ts';
import { deviceRows, type Noise, withNoise } from './images.ts';
import { isOnGpu } from './libtensorflow.ts';
import { PIXELS } from './model.ts';

/**
 * The number of images per forward pass: enough to keep a CPU busy, but few enough to keep the activations small (1.6
 * MB per layer).
 */
const CPU_CHUNK = 500;
/** On a GPU, one forward pass evaluates all test images. This takes few calls, and little memory (31 MB per layer). */
const GPU_CHUNK = 10_000;

/**
 * The clean test images, in chunks `[pixels, images]`. The noisy inputs of a test set are separate tensors, and remain
 * valid after this object is disposed.
 */
export class TestImages {
  readonly chunks: readonly tf.Tensor2D[];
  readonly count: number;
  /** The number of images in each chunk. The last chunk can be smaller. */
  readonly chunkSize: number;

  constructor(images: Images, chunkSize = isOnGpu() ? GPU_CHUNK : CPU_CHUNK) {
    this.count = images.count;
    this.chunkSize = chunkSize;
    // If the memory runs out, the outer tidy disposes the chunks that have already been created.
    this.chunks = tf.tidy(() =>
      Array.from({ length: Math.ceil(images.count / chunkSize) }, (_, chunk) => {
        const from = chunk * chunkSize;
        const to = Math.min(from + chunkSize, images.count);
        return tf.tidy(() => tf.transpose(deviceRows(images, from, to)));
      }),
    );
  }

  dispose(): void {
    tf.dispose([...this.chunks]);
  }
}

/** The test inputs of one trial, and the loss over all of them. */
export class TestSet {
  private readonly images: TestImages;
  /** Without noise, these are the same tensors as `images.chunks`. */
  private readonly inputs: readonly tf.Tensor2D[];

  /** Draws the noise once, so that every epoch is evaluated on the same inputs. */
  constructor(images: TestImages, noise: Noise) {
    this.images = images;
    this.inputs =
      noise.std > 0
        ? tf.tidy(() =>
            images.chunks.map((chunk) => tf.tidy(() => tf.transpose(withNoise(tf.transpose(chunk), [noise])))),
          )
        : images.chunks;
  }

  /**
   * Returns the mean squared error per pixel between outputs and clean images, over all images.
   * @param output the network: maps inputs `[pixels, images]` to outputs of the same shape; called within tf.tidy
   * @param pause awaited before each chunk of images
   */
  async loss(output: (input: tf.Tensor2D) => tf.Tensor2D, pause: () => Promise<void>): Promise<number> {
    let sum = 0;
    for (const [chunk, input] of this.inputs.entries()) {
      const target = this.images.chunks[chunk] ?? input;
      await pause();
      const rowSums = tf.tidy(() => tf.sum(tf.squaredDifference(output(input), target), 1));
      try {
        for (const rowSum of await rowSums.data()) sum += rowSum;
      } finally {
        rowSums.dispose();
      }
    }
    return sum / (this.images.count * PIXELS);
  }

  /** Returns the inputs at these indices, with their noise: `[pixels, indices]`. The caller owns the tensor. */
  inputsAt(indices: readonly number[]): tf.Tensor2D {
    const { chunkSize } = this.images;
    return tf.tidy(() => {
      const columns = indices.map((index) => {
        const chunk = this.inputs[Math.floor(index / chunkSize)];
        if (chunk === undefined) throw new Error(`no test image ${index}`);
        return tf.slice2d(chunk, [0, index % chunkSize], [PIXELS, 1]);
      });
      return tf.concat2d(columns, 1);
    });
  }

  dispose(): void {
    if (this.inputs !== this.images.chunks) tf.dispose([...this.inputs]);
  }
}
