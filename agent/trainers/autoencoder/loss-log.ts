/** The losses of an epoch's steps: kept on the device, and read back seldom, because each read makes the device wait. */
import * as tf from '@tensorflow/tfjs-core';
import { refuseNonFinite } from './failures.ts';
import type { StepLoss } from './metrics.ts';

/** Steps between two reads; also how late a NaN is seen. */
const STEPS_PER_READ = 256;

export class LossLog {
  private readonly epoch: number;
  private readonly read: StepLoss[] = [];
  private unread: { readonly images: number; readonly losses: tf.Tensor1D }[] = [];

  constructor(epoch: number) {
    this.epoch = epoch;
  }

  /**
   * @param losses a step's `[mse, l1]`; the log owns the tensor from here on.
   * @throws {TrainingError} `nan` when a loss so far is not finite.
   */
  async add(images: number, losses: tf.Tensor1D): Promise<void> {
    this.unread.push({ images, losses });
    if (this.unread.length === STEPS_PER_READ) await this.readBack();
  }

  /** Of all steps, in order. @throws {TrainingError} `nan` when one is not finite. */
  async losses(): Promise<readonly StepLoss[]> {
    if (this.unread.length > 0) await this.readBack();
    return this.read;
  }

  dispose(): void {
    tf.dispose(this.unread.map(({ losses }) => losses));
  }

  private async readBack(): Promise<void> {
    const stacked = tf.stack(this.unread.map(({ losses }) => losses));
    const values = await stacked.data();
    stacked.dispose();
    this.unread.forEach(({ images, losses }, i) => {
      losses.dispose();
      const [mse = Number.NaN, l1 = Number.NaN] = values.subarray(2 * i, 2 * i + 2);
      this.read.push({ images, mse, l1 });
      refuseNonFinite(`epoch ${this.epoch}, step ${this.read.length}`, { mse, l1 });
    });
    this.unread = [];
  }
}
