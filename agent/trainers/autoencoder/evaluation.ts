/** The test images on the device, and the loss on all of them. */
import * as tf from '@tensorflow/tfjs-core';
import type { Images } from '../../data/idx.ts';
import { deviceRows } from './images.ts';
import { PIXELS } from './model.ts';
import { type Noise, withNoise } from './noise.ts';

/** Images in one forward pass: enough to keep a device busy, few enough that activations stay small (1.6 MB a layer). */
const CHUNK = 500;

/** The clean test images, in chunks `[pixels, images]`. What inputs are made of them may outlive it. */
export class TestImages {
  readonly chunks: readonly tf.Tensor2D[];
  readonly count: number;

  constructor(images: Images) {
    this.count = images.count;
    this.chunks = Array.from({ length: Math.ceil(images.count / CHUNK) }, (_, chunk) => {
      const from = chunk * CHUNK;
      const to = Math.min(from + CHUNK, images.count);
      return tf.tidy(() => tf.transpose(deviceRows(images, from, to)));
    });
  }

  dispose(): void {
    tf.dispose([...this.chunks]);
  }
}

/** What one trial's network sees of the test images, and the loss on all of them. */
export class TestSet {
  private readonly images: TestImages;
  /** The images' own chunks where there is no noise. */
  private readonly inputs: readonly tf.Tensor2D[];

  /** The noise is drawn once here, so that every epoch is measured on the same inputs. */
  constructor(images: TestImages, noise: Noise) {
    this.images = images;
    this.inputs =
      noise.std > 0
        ? images.chunks.map((chunk) => tf.tidy(() => tf.transpose(withNoise(tf.transpose(chunk), [noise]))))
        : images.chunks;
  }

  /**
   * Mean squared error per pixel between what `output` makes of each input and the clean image, over all images.
   * @param output `[pixels, images]` to the same shape; runs within a tidy.
   * @param pause awaited between chunks.
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

  /** What the network sees of single test images, with their noise: `[pixels, indices]`. The caller owns the tensor. */
  seen(indices: readonly number[]): tf.Tensor2D {
    return tf.tidy(() => {
      const columns = indices.map((index) => {
        const chunk = this.inputs[Math.floor(index / CHUNK)];
        if (chunk === undefined) throw new Error(`no test image ${index}`);
        return tf.slice2d(chunk, [0, index % CHUNK], [PIXELS, 1]);
      });
      return tf.concat2d(columns, 1);
    });
  }

  dispose(): void {
    if (this.inputs !== this.images.chunks) tf.dispose([...this.inputs]);
  }
}
