/** The losses of an epoch's steps: kept on the device, and read back seldom, because each read makes the device wait. */
import * as tf from '@tensorflow/tfjs-core';
import type { StepLoss } from './metrics.ts';

/** Steps between two reads; also how late a NaN is seen. */
const STEPS_PER_READ = 256;

export class LossLog {
  private readonly read: StepLoss[][];
  private unread: { readonly images: number; readonly losses: tf.Tensor2D }[] = [];

  constructor(members: number) {
    this.read = Array.from({ length: members }, () => []);
  }

  /**
   * @param images of each member in the step.
   * @param losses a step's `[members, 2]` of mse and l1; the log owns the tensor from here on.
   * @returns whether all steps so far have been read.
   */
  async add(images: number, losses: tf.Tensor2D): Promise<boolean> {
    this.unread.push({ images, losses });
    if (this.unread.length < STEPS_PER_READ) return false;
    await this.readBack();
    return true;
  }

  /** A member's steps as far as they have been read, in order. */
  of(member: number): readonly StepLoss[] {
    return this.read[member] ?? [];
  }

  /** Reads what has not been read yet. */
  async readBack(): Promise<void> {
    if (this.unread.length === 0) return;
    const stacked = tf.stack(this.unread.map(({ losses }) => losses));
    const values = await stacked.data();
    stacked.dispose();
    let at = 0;
    for (const { images, losses } of this.unread) {
      losses.dispose();
      for (const steps of this.read) {
        const [mse = Number.NaN, l1 = Number.NaN] = values.subarray(at, at + 2);
        steps.push({ images, mse, l1 });
        at += 2;
      }
    }
    this.unread = [];
  }

  dispose(): void {
    tf.dispose(this.unread.map(({ losses }) => losses));
  }
}
