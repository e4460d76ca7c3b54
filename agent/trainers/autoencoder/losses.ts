/** The losses of training steps, and the metrics that an epoch reports. */
import * as tf from '@tensorflow/tfjs-core';

/** The difference between the largest possible pixel value, 1, and the smallest, -1. */
export const PIXEL_RANGE = 2;

/** Returns the peak signal-to-noise ratio in dB, 20 log10(peak) - 10 log10(mse), which is infinite for an mse of 0. */
export function psnr(mse: number, peak: number): number {
  return 20 * Math.log10(peak) - 10 * Math.log10(mse);
}

/** The losses of one training step, before the step's update. */
export interface StepLoss {
  readonly images: number;
  /** The mean squared error per pixel. */
  readonly mse: number;
  /** The L1 term, lambda_l1 * sum|parameter|. */
  readonly l1: number;
}

/**
 * Returns an epoch's training metrics. train_loss and train_total_loss are means over images, so a short batch has less
 * weight.
 */
export function trainMetrics(steps: readonly StepLoss[]) {
  const images = steps.reduce((sum, step) => sum + step.images, 0);
  const mean = (of: (step: StepLoss) => number) =>
    steps.reduce((sum, step) => sum + of(step) * step.images, 0) / images;
  return {
    train_loss: mean(({ mse }) => mse),
    train_total_loss: mean(({ mse, l1 }) => mse + l1),
    last_batch_loss: steps.at(-1)?.mse ?? Number.NaN,
  };
}

/**
 * Returns the test metrics. `mse` is the mean squared error over all test images. `psnr_peak1` uses a peak of 1, as if
 * pixels were in the range from 0 to 1.
 */
export function testMetrics(mse: number) {
  return { test_loss: mse, psnr: psnr(mse, PIXEL_RANGE), psnr_peak1: psnr(mse, 1) };
}

/**
 * The number of steps after which the losses are read from the device. A NaN is therefore detected after at most this
 * number of steps.
 */
const STEPS_PER_READ = 256;

/**
 * The losses of an epoch's steps. Losses on the device are read rarely, because each read stalls the device.
 */
export class LossLog {
  private readonly read: StepLoss[][];
  private unread: { readonly images: number; readonly losses: tf.Tensor2D | Float32Array }[] = [];

  constructor(members: number) {
    this.read = Array.from({ length: members }, () => []);
  }

  /**
   * @param images the number of images per member in the step
   * @param losses the mse and the l1 of each member, `[members, 2]`: a tensor, which the log disposes, or an array
   * @returns whether the losses of all steps so far have been read
   */
  async add(images: number, losses: tf.Tensor2D | Float32Array): Promise<boolean> {
    this.unread.push({ images, losses });
    if (this.unread.length < STEPS_PER_READ) return false;
    await this.readBack();
    return true;
  }

  /** Returns those losses of a member that have been read so far, in the order of the steps. */
  of(member: number): readonly StepLoss[] {
    return this.read[member] ?? [];
  }

  /** Reads the losses that are still on the device. */
  async readBack(): Promise<void> {
    if (this.unread.length === 0) return;
    const tensors = this.unread.flatMap(({ losses }) => (losses instanceof Float32Array ? [] : [losses]));
    const stacked = tensors.length > 0 ? tf.stack(tensors) : undefined;
    const values = (await stacked?.data<'float32'>()) ?? new Float32Array();
    tf.dispose([...tensors, stacked ?? []]);
    let at = 0;
    for (const { images, losses } of this.unread) {
      const own = losses instanceof Float32Array ? losses : values.subarray(at, at + 2 * this.read.length);
      if (own !== losses) at += own.length;
      for (const [member, steps] of this.read.entries()) {
        const [mse = Number.NaN, l1 = Number.NaN] = own.subarray(2 * member, 2 * member + 2);
        steps.push({ images, mse, l1 });
      }
    }
    this.unread = [];
  }

  dispose(): void {
    tf.dispose(this.unread.flatMap(({ losses }) => (losses instanceof Float32Array ? [] : [losses])));
  }
}
