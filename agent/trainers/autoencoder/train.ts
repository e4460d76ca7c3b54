/** The built-in autoencoder trainer: epochs of steps, a full evaluation after each. */
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { type ImageSet, loadImages } from '../../data/load.ts';
import { TrainingError, type TrainingRun } from '../trainer.ts';
import { batchesOf } from './batches.ts';
import { readCheckpoint } from './checkpoint.ts';
import { TestSet } from './evaluation.ts';
import { isOutOfMemory, refuseNonFinite } from './failures.ts';
import { deviceRows, pickRows } from './images.ts';
import { Learner } from './learner.ts';
import { LossLog } from './loss-log.ts';
import { PIXEL_RANGE, psnr, type StepLoss, testMetrics, trainMetrics } from './metrics.ts';
import { Products } from './products.ts';
import { Random, STREAMS } from './random.ts';
import { Examples } from './reconstructions.ts';
import { type Settings, settingsOf } from './settings.ts';

/** Steps between two looks at the event loop, where messages and a stop are heard: some 50 ms on a core. */
const STEPS_PER_PAUSE = 4;

/**
 * Trains to the study's protocol and reports after every epoch, from the start or from a checkpoint on: either way the
 * numbers are the same to the last bit, on one backend.
 * @throws {TrainingError} `nan` when a loss or a parameter is not finite, `oom` when memory ran out, `preflight` when
 * the data set or the checkpoint cannot be had, `rejected` for parameters it cannot use.
 */
export async function autoencoder(run: TrainingRun): Promise<void> {
  const settings = settingsOf(run.parameters);
  const images = await imagesOf(settings, run.dataDir);
  try {
    await train(run, settings, images);
  } catch (error) {
    if (isOutOfMemory(error)) throw new TrainingError('oom', `out of memory: ${error.message}`, { cause: error });
    throw error;
  }
}

async function imagesOf({ dataset }: Settings, dataDir: string): Promise<ImageSet> {
  try {
    return await loadImages(dataset, dataDir);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new TrainingError('preflight', message, { cause: error });
  }
}

async function train(run: TrainingRun, settings: Settings, images: ImageSet): Promise<void> {
  const { seed } = run;
  const trainSize = Math.min(settings.trainSize, images.train.count);
  const pause = async () => {
    await setImmediate();
    run.signal.throwIfAborted();
  };

  await pause();
  const testSet = new TestSet(images.test, settings.noiseStd, new Random(seed, STREAMS.testNoise));
  const rows = deviceRows(images.train, 0, trainSize);
  const learner = new Learner(settings, seed);
  const products = new Products(run, settings, learner, new Examples(testSet, images.test, settings.noiseStd > 0));
  try {
    const inputLoss = settings.noiseStd > 0 ? await testSet.loss((input) => input, pause) : undefined;
    const denoising: Record<string, number> =
      inputLoss === undefined ? {} : { psnr_input: psnr(inputLoss, PIXEL_RANGE) };
    const order = Int32Array.from({ length: trainSize }, (_, i) => i);
    const shuffles = new Random(seed, STREAMS.shuffle);
    let done = 0;
    if (run.resume !== undefined) {
      const progress = await readCheckpoint(run.resume, run, { rows: learner.rows, trainSize });
      learner.restore(progress.learner);
      shuffles.restore(progress.shuffle);
      order.set(progress.order);
      done = progress.epoch;
    }

    for (let epoch = done + 1; epoch <= settings.epochs; epoch++) {
      shuffles.shuffle(order);
      const trained = trainMetrics(await trainEpoch(learner, rows, order, settings.batchSize, epoch, pause));
      const tested = testMetrics(await testSet.loss((input) => learner.reconstruct(input), pause));
      const metrics = { ...trained, ...tested, ...denoising };
      refuseNonFinite(`epoch ${epoch}`, { ...metrics, 'sum|parameter|': await learner.absoluteSum() });
      run.report(epoch, metrics);
      await products.keep(epoch, { shuffle: shuffles.save(), order });
    }
  } finally {
    tf.dispose(rows);
    products.dispose();
    testSet.dispose();
    learner.dispose();
  }
}

/** Every image once, in the given order. */
async function trainEpoch(
  learner: Learner,
  rows: tf.Tensor2D,
  order: Int32Array,
  batchSize: number,
  epoch: number,
  pause: () => Promise<void>,
): Promise<readonly StepLoss[]> {
  const log = new LossLog(epoch);
  try {
    let step = 0;
    for (const batch of batchesOf(order, batchSize)) {
      step++;
      await log.add(
        batch.length,
        tf.tidy(() => learner.step(pickRows(rows, batch))),
      );
      if (step % STEPS_PER_PAUSE === 0) await pause();
    }
    return await log.losses();
  } finally {
    log.dispose();
  }
}
