/** What an epoch reports. */

/** The pixels' range: they span -1 to 1. */
export const PIXEL_RANGE = 2;

/** Peak signal-to-noise ratio in dB: 20 log10(peak) - 10 log10(mse). Infinite for an mse of 0. */
export function psnr(mse: number, peak: number): number {
  return 20 * Math.log10(peak) - 10 * Math.log10(mse);
}

/** The losses of one training step, before the step's update. */
export interface StepLoss {
  readonly images: number;
  /** Mean squared error per pixel. */
  readonly mse: number;
  /** lambda_l1 * sum|parameter|. */
  readonly l1: number;
}

/** train_loss and train_total_loss are means over the epoch's images: a short batch counts for what it holds. */
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

/** test_loss is the mean squared error over all test images; `psnr_peak1` is the convention of pixels that span 1. */
export function testMetrics(mse: number) {
  return { test_loss: mse, psnr: psnr(mse, PIXEL_RANGE), psnr_peak1: psnr(mse, 1) };
}
