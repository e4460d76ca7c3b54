/** One trial of a pack: its own order of images, evaluation, products and end. */
import { setImmediate } from 'node:timers/promises';
import type { ImageSet } from '../../data/load.ts';
import type { TrainingRun } from '../trainer.ts';
import { readCheckpoint } from './checkpoint.ts';
import type { Ending } from './ending.ts';
import { type TestImages, TestSet } from './evaluation.ts';
import { refuseNonFinite } from './failures.ts';
import type { Learner } from './learner.ts';
import { PIXEL_RANGE, psnr, type StepLoss, testMetrics, trainMetrics } from './metrics.ts';
import { layersOf, layoutOf } from './model.ts';
import { Products } from './products.ts';
import { Random, STREAMS } from './random.ts';
import { Examples } from './reconstructions.ts';
import type { Settings } from './settings.ts';

/** A run whose parameters the trainer can use. */
export interface Entrant {
  readonly run: TrainingRun;
  readonly settings: Settings;
  readonly ending: Ending;
}

export class Member {
  readonly run: TrainingRun;
  readonly settings: Settings;
  readonly ending: Ending;
  /** The last epoch that is done. */
  epoch = 0;
  readonly #shuffles: Random;
  readonly #testSet: TestSet;
  readonly #products: Products;
  #order: Int32Array;
  #denoising: Readonly<Record<string, number>> = {};

  constructor({ run, settings, ending }: Entrant, images: ImageSet, test: TestImages) {
    this.run = run;
    this.settings = settings;
    this.ending = ending;
    this.#shuffles = new Random(run.seed, STREAMS.shuffle);
    this.#order = Int32Array.from({ length: Math.min(settings.trainSize, images.train.count) }, (_, i) => i);
    this.#testSet = new TestSet(test, { std: settings.noiseStd, random: new Random(run.seed, STREAMS.testNoise) });
    this.#products = new Products(run, settings, new Examples(this.#testSet, images.test, settings.noiseStd > 0));
  }

  /**
   * What is measured once, and the checkpoint that it goes on from.
   * @param at its place in the learner.
   * @throws {TrainingError} `preflight` for a checkpoint that is not its own; the reason of a stop.
   */
  async prepare(learner: Learner, at: number): Promise<void> {
    if (this.settings.noiseStd > 0) {
      const mse = await this.#testSet.loss((input) => input, this.#pause);
      this.#denoising = { psnr_input: psnr(mse, PIXEL_RANGE) };
    }
    const { resume } = this.run;
    if (resume === undefined) return;
    const { rows } = layoutOf(layersOf(this.settings.depth, this.settings.latentDim));
    const progress = await readCheckpoint(resume, this.run, { rows, trainSize: this.#order.length });
    if (progress === undefined) {
      console.error(`the checkpoint of epoch ${resume.epoch} is of another version: beginning at epoch 1`);
      return;
    }
    learner.restore(at, progress.learner);
    this.#shuffles.restore(progress.shuffle);
    this.#order = progress.order;
    this.epoch = progress.epoch;
  }

  /** All images in the order of the next epoch; the array is the same every time. */
  shuffled(): Int32Array {
    this.#shuffles.shuffle(this.#order);
    return this.#order;
  }

  /**
   * Ends an epoch: evaluates, reports, keeps what is due.
   * @param at its place in the learner.
   * @throws {TrainingError} `nan` when anything is not finite; the reason of a stop.
   */
  async endEpoch(learner: Learner, at: number, steps: readonly StepLoss[], absoluteSum: number): Promise<void> {
    const epoch = this.epoch + 1;
    const mse = await this.#testSet.loss((input) => learner.reconstruct(at, input), this.#pause);
    const metrics = { ...trainMetrics(steps), ...testMetrics(mse), ...this.#denoising };
    refuseNonFinite(`epoch ${epoch}`, { ...metrics, 'sum|parameter|': absoluteSum });
    this.run.report(epoch, metrics);
    this.epoch = epoch;
    await this.#products.keep({ learner, member: at }, epoch, { shuffle: this.#shuffles.save(), order: this.#order });
  }

  dispose(): void {
    this.#products.dispose();
    this.#testSet.dispose();
  }

  readonly #pause = async () => {
    await setImmediate();
    this.run.signal.throwIfAborted();
  };
}
