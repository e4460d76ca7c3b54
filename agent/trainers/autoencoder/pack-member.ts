/** Represents one trial of a pack. Each trial has its own image order, evaluation, artifacts and completion. */
import { setImmediate } from 'node:timers/promises';
import type { ImageSet } from '../../data/load.ts';
import type { TrainingRun } from '../trainer.ts';
import { readCheckpoint } from './checkpoint.ts';
import { checkFinite, type RunCompletion } from './completion.ts';
import { type TestImages, TestSet } from './evaluation.ts';
import type { Learner } from './learner.ts';
import { PIXEL_RANGE, psnr, type StepLoss, testMetrics, trainMetrics } from './losses.ts';
import { layersOf, parameterLayout } from './model.ts';
import { Random, STREAMS } from './random.ts';
import { ExampleImages } from './reconstructions.ts';
import type { Settings } from './settings.ts';
import { TrialArtifacts } from './trial-artifacts.ts';

/** A run whose parameters are valid. */
export interface PreparedRun {
  readonly run: TrainingRun;
  readonly settings: Settings;
  readonly completion: RunCompletion;
}

export class PackMember {
  readonly run: TrainingRun;
  readonly settings: Settings;
  readonly completion: RunCompletion;
  /** The number of the last completed epoch. */
  epoch = 0;
  readonly #shuffles: Random;
  readonly #testSet: TestSet;
  readonly #artifacts: TrialArtifacts;
  #order: Int32Array;
  #inputMetrics: Readonly<Record<string, number>> = {};

  constructor({ run, settings, completion }: PreparedRun, images: ImageSet, test: TestImages) {
    this.run = run;
    this.settings = settings;
    this.completion = completion;
    this.#shuffles = new Random(run.seed, STREAMS.shuffle);
    this.#order = Int32Array.from({ length: Math.min(settings.trainSize, images.train.count) }, (_, i) => i);
    this.#testSet = new TestSet(test, { std: settings.noiseStd, random: new Random(run.seed, STREAMS.testNoise) });
    this.#artifacts = new TrialArtifacts(
      run,
      settings,
      new ExampleImages(this.#testSet, images.test, settings.noiseStd > 0),
    );
  }

  /**
   * Computes the metrics that do not change between epochs, and restores the checkpoint, if there is one.
   * @param at the member's index in the learner
   * @throws {TrainingError} `preflight` if the checkpoint is damaged or from another trial
   * @throws the reason for the stop, if the run is stopped
   */
  async prepare(learner: Learner, at: number): Promise<void> {
    if (this.settings.noiseStd > 0) {
      const mse = await this.#testSet.loss((input) => input, this.#pause);
      this.#inputMetrics = { psnr_input: psnr(mse, PIXEL_RANGE) };
    }
    const { resume } = this.run;
    if (resume === undefined) return;
    const { rows } = parameterLayout(layersOf(this.settings.depth, this.settings.latentDim));
    const progress = await readCheckpoint(resume, this.run, { rows, trainSize: this.#order.length });
    if (progress === undefined) {
      console.error(`the checkpoint of epoch ${resume.epoch} has the format of another version: starting from epoch 1`);
      return;
    }
    learner.restore(at, progress.learner);
    this.#shuffles.restore(progress.shuffle);
    this.#order = progress.order;
    this.epoch = progress.epoch;
  }

  /**
   * Returns the indices of the training images, in the order of the next epoch. Each call changes and returns the same
   * array.
   */
  shuffle(): Int32Array {
    this.#shuffles.shuffle(this.#order);
    return this.#order;
  }

  /**
   * Ends an epoch: evaluates, reports, and keeps the artifacts that are due.
   * @param at the member's index in the learner
   * @throws {TrainingError} `nan` when a metric or a parameter is not finite
   * @throws the reason for a stop
   */
  async endEpoch(learner: Learner, at: number, steps: readonly StepLoss[], absoluteSum: number): Promise<void> {
    const epoch = this.epoch + 1;
    const mse = await this.#testSet.loss((input) => learner.reconstruct(at, input), this.#pause);
    const metrics = { ...trainMetrics(steps), ...testMetrics(mse), ...this.#inputMetrics };
    checkFinite(`epoch ${epoch}`, { ...metrics, 'sum|parameter|': absoluteSum });
    this.run.report(epoch, metrics);
    this.epoch = epoch;
    await this.#artifacts.keep({ learner, member: at }, epoch, { shuffle: this.#shuffles.save(), order: this.#order });
  }

  dispose(): void {
    this.#artifacts.dispose();
    this.#testSet.dispose();
  }

  readonly #pause = async () => {
    await setImmediate();
    this.run.signal.throwIfAborted();
  };
}
