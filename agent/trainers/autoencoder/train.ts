/** The built-in autoencoder trainer: epochs of steps and a full evaluation after each, of one trial or a pack of them. */

import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { type ImageSet, loadImages } from '../../data/load.ts';
import { TrainingError, type TrainingRun } from '../trainer.ts';
import { batchesOf } from './batches.ts';
import { Ending } from './ending.ts';
import type { Strategy } from './engine.ts';
import { TestImages } from './evaluation.ts';
import { isOutOfMemory, refuseNonFinite } from './failures.ts';
import { type TrainImages, trainImages } from './images.ts';
import { Learner } from './learner.ts';
import { LossLog } from './loss-log.ts';
import { type Entrant, Member } from './member.ts';
import type { StepLoss } from './metrics.ts';
import { settingsOf } from './settings.ts';

/** Steps between two looks at the event loop, where messages and a stop are heard: some 50 ms on a core. */
const STEPS_PER_PAUSE = 4;

/** Returns a data set's images. */
export type LoadImages = typeof loadImages;

/**
 * Trains to the study's protocol and reports after every epoch, from the start or from a checkpoint on: either way the
 * numbers are the same to the last bit, on one backend.
 * @throws {TrainingError} `nan` when a loss or a parameter is not finite, `oom` when memory ran out, `preflight` when
 * the data set or the checkpoint cannot be had, `rejected` for parameters it cannot use.
 */
export async function autoencoder(run: TrainingRun, load: LoadImages = loadImages): Promise<void> {
  const { ends, over } = start([run], undefined, load);
  await over;
  await ends[0];
}

/**
 * Several trials that agree in `packsBy` (proto/trainers.ts) as one program. Each has a seed, latent dimension, elastic
 * net, noise, learning rate and epochs of its own, and comes to an end of its own. Its numbers are those that it has
 * alone but for rounding; where products are computed in turn to the bit, except the sum of parameters in
 * train_total_loss.
 * @param strategy default: what is fast on the backend in use.
 * @returns what becomes of each run, as {@link autoencoder} has it.
 */
export function autoencoderPack(
  runs: readonly TrainingRun[],
  strategy?: Strategy,
  load: LoadImages = loadImages,
): readonly Promise<void>[] {
  return start(runs, strategy, load).ends;
}

/** @returns `over` resolves, and never rejects, when all have ended and their memory is free. */
function start(runs: readonly TrainingRun[], strategy: Strategy | undefined, load: LoadImages) {
  const endings = runs.map((run) => new Ending(run));
  const entrants = runs.flatMap((run, at): Entrant[] => {
    const ending = endings[at];
    if (ending === undefined) return [];
    try {
      return [{ run, settings: settingsOf(run.parameters), ending }];
    } catch (error) {
      ending.fail(error);
      return [];
    }
  });
  const over = trainAll(entrants, strategy, load).catch((error) => {
    const cause = isOutOfMemory(error)
      ? new TrainingError('oom', `out of memory: ${error.message}`, { cause: error })
      : error;
    for (const { ending } of entrants) if (!ending.over) ending.fail(cause);
  });
  return { ends: endings.map(({ promise }) => promise), over };
}

/** Ends every entrant, or throws what ends all that are left. */
async function trainAll(entrants: readonly Entrant[], strategy: Strategy | undefined, load: LoadImages): Promise<void> {
  const [first] = entrants;
  if (first === undefined) return;
  const images = await imagesOf(first, load);
  const testImages = new TestImages(images.test);
  const train = trainImages(images.train, Math.min(first.settings.trainSize, images.train.count));
  const members = entrants.map((entrant) => new Member(entrant, images, testImages));
  const learner = new Learner(
    members.map(({ settings, run }) => ({ settings, seed: run.seed })),
    strategy,
  );
  try {
    await trainMembers(members, learner, train);
  } finally {
    train.dispose();
    for (const member of members) member.dispose();
    testImages.dispose();
    learner.dispose();
  }
}

async function imagesOf({ settings, run }: Entrant, load: LoadImages): Promise<ImageSet> {
  try {
    return await load(settings.dataset, run.dataDir);
  } catch (error) {
    const message = errorMessage(error);
    throw new TrainingError('preflight', message, { cause: error });
  }
}

/** Rounds of an epoch each, until every member has ended; members need not be at the same epoch. */
async function trainMembers(all: readonly Member[], learner: Learner, images: TrainImages): Promise<void> {
  let members = all;
  for (const [at, member] of members.entries()) await forMember(member, () => member.prepare(learner, at));
  for (;;) {
    const live = members.flatMap(({ ending }, at) => (ending.over ? [] : [at]));
    if (live.length === 0) return;
    if (live.length < members.length) {
      learner.keepOnly(live);
      members = members.filter(({ ending }) => !ending.over);
    }
    const steps = await trainEpoch(members, learner, images);
    const sums = await learner.absoluteSums();
    for (const [at, member] of members.entries()) {
      if (member.ending.over) continue;
      await forMember(member, () => member.endEpoch(learner, at, steps[at] ?? [], sums[at] ?? Number.NaN));
    }
  }
}

/** What goes wrong with one member ends that one; memory that has run out ends them all. */
async function forMember(member: Member, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    if (member.epoch >= member.settings.epochs) member.ending.succeed();
  } catch (error) {
    if (isOutOfMemory(error)) throw error;
    member.ending.fail(error);
  }
}

/**
 * Every image once for each member, in its own order. Who ends meanwhile is computed on to the end of the epoch, and
 * looked at no more; when all have ended the epoch breaks off.
 * @returns each member's steps
 */
async function trainEpoch(
  members: readonly Member[],
  learner: Learner,
  images: TrainImages,
): Promise<readonly (readonly StepLoss[])[]> {
  const log = new LossLog(members.length);
  const orders = members.map((member) => member.shuffled());
  try {
    let step = 0;
    for (const batch of batchesOf(orders, members[0]?.settings.batchSize ?? 1)) {
      step++;
      const losses = tf.tidy(() => learner.step(images.pick(batch)));
      if (await log.add(batch.length / members.length, losses)) endNonFinite(members, log);
      if (step % STEPS_PER_PAUSE === 0) await pause(members);
      if (members.every(({ ending }) => ending.over)) break;
    }
    await log.readBack();
    endNonFinite(members, log);
    return members.map((_, at) => log.of(at));
  } finally {
    log.dispose();
  }
}

async function pause(members: readonly Member[]): Promise<void> {
  await setImmediate();
  for (const { ending, run } of members) if (!ending.over && run.signal.aborted) ending.fail(run.signal.reason);
}

function endNonFinite(members: readonly Member[], log: LossLog): void {
  for (const [at, { ending, epoch }] of members.entries()) {
    const steps = log.of(at);
    const wrong = steps.findIndex(({ mse, l1 }) => !Number.isFinite(mse) || !Number.isFinite(l1));
    if (ending.over || wrong === -1) continue;
    try {
      const { mse = 0, l1 = 0 } = steps[wrong] ?? {};
      refuseNonFinite(`epoch ${epoch + 1}, step ${wrong + 1}`, { mse, l1 });
    } catch (error) {
      ending.fail(error);
    }
  }
}
