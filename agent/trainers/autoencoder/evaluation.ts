/** The test images on the device, and the loss on all of them. */
import * as tf from '@tensorflow/tfjs-core';
import type { Images } from '../../data/idx.ts';
import { deviceRows } from './images.ts';
import { PIXELS } from './model.ts';
import { withNoise } from './noise.ts';
import type { Random } from './random.ts';

/** Images in one forward pass: enough to keep a device busy, few enough that activations stay small (1.6 MB a layer). */
const CHUNK = 500;

interface Chunk {
  /** `[pixels, images]`: what the network sees, and what it should give; the same tensor where there is no noise. */
  readonly input: tf.Tensor2D;
  readonly target: tf.Tensor2D;
}

export class TestSet {
  private readonly chunks: readonly Chunk[];
  private readonly images: number;

  /** The noise is drawn once here, so that every epoch is measured on the same inputs. */
  constructor(images: Images, noiseStd: number, random: Random) {
    this.images = images.count;
    const chunks: Chunk[] = [];
    for (let from = 0; from < images.count; from += CHUNK) {
      const to = Math.min(from + CHUNK, images.count);
      chunks.push(
        tf.tidy(() => {
          const rows = deviceRows(images, from, to);
          const target = tf.keep(tf.transpose(rows));
          const input = noiseStd > 0 ? tf.keep(tf.transpose(withNoise(rows, noiseStd, random))) : target;
          return { input, target };
        }),
      );
    }
    this.chunks = chunks;
  }

  /**
   * Mean squared error per pixel between what `output` makes of each input and the clean image, over all images.
   * @param output `[pixels, images]` to the same shape; runs within a tidy.
   * @param pause awaited between chunks.
   */
  async loss(output: (input: tf.Tensor2D) => tf.Tensor2D, pause: () => Promise<void>): Promise<number> {
    let sum = 0;
    for (const { input, target } of this.chunks) {
      await pause();
      const rowSums = tf.tidy(() => tf.sum(tf.squaredDifference(output(input), target), 1));
      try {
        for (const rowSum of await rowSums.data()) sum += rowSum;
      } finally {
        rowSums.dispose();
      }
    }
    return sum / (this.images * PIXELS);
  }

  /** What the network sees of single test images, with their noise: `[pixels, indices]`. The caller owns the tensor. */
  inputs(indices: readonly number[]): tf.Tensor2D {
    return tf.tidy(() => {
      const columns = indices.map((index) => {
        const chunk = this.chunks[Math.floor(index / CHUNK)];
        if (chunk === undefined) throw new Error(`no test image ${index}`);
        return tf.slice2d(chunk.input, [0, index % CHUNK], [PIXELS, 1]);
      });
      return tf.concat2d(columns, 1);
    });
  }

  dispose(): void {
    for (const { input, target } of this.chunks) tf.dispose([input, target]);
  }
}
