/** The built-in autoencoder trainer. One call trains one trial or a pack, with a full evaluation after each epoch. */

import { setImmediate } from 'node:timers/promises';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { firstOf, type ImageSet, loadImages } from '../../data/load.ts';
import { TrainingError, type TrainingRun } from '../trainer.ts';
import { checkFinite, isOutOfMemory, RunCompletion } from './completion.ts';
import type { Strategy } from './engine.ts';
import { TestImages } from './evaluation.ts';
import { batchesOf, groupsOf } from './images.ts';
import { Learner } from './learner.ts';
import { LossLog, type StepLoss } from './losses.ts';
import { PackMember, type PreparedRun } from './pack-member.ts';
import { settingsOf } from './settings.ts';

/** Loads a data set's images. */
export type LoadImages = typeof loadImages;

/**
 * Trains one trial by the protocol of the study (docs/study.md), and reports after every epoch. On the same
 * backend, a run that resumes from a checkpoint and an uninterrupted run give bitwise identical results, except on a
 * GPU, where they agree within rounding.
 * @throws {TrainingError} `nan` when a loss or a parameter is not finite, `oom` when memory ran out, `preflight` when
 *   the data set or the checkpoint is unavailable, `rejected` for unsupported parameters
 */
export async function autoencoder(run: TrainingRun, load: LoadImages = loadImages): Promise<void> {
  const { results, finished } = start([run], undefined, load);
  await finished;
  await results[0];
}

/**
 * Trains several trials together. The trials must have equal values for the parameters in `packsBy`
 * (proto/trainers.ts). Each trial has its own seed, latent dimension, elastic net, noise, learning rate and epochs, and
 * ends independently of the others. With the strategies `stacked` and `pack-graph`, which GPUs use, a trial has the
 * same results as without a pack, except for rounding. With the other strategies, the results are bitwise equal, except
 * for the sum of parameters in train_total_loss.
 * @param strategy default: the strategy of the current backend
 * @returns one promise per run, which settles like the promise of {@link autoencoder}
 */
export function autoencoderPack(
  runs: readonly TrainingRun[],
  strategy?: Strategy,
  load: LoadImages = loadImages,
): readonly Promise<void>[] {
  return start(runs, strategy, load).results;
}

/**
 * Starts the training of the runs. `results` has one promise per run. `finished` never rejects: it resolves when all
 * runs have ended and their memory is freed.
 */
function start(runs: readonly TrainingRun[], strategy: Strategy | undefined, load: LoadImages) {
  const completions = runs.map((run) => new RunCompletion(run));
  const prepared = runs.flatMap((run, at): PreparedRun[] => {
    const completion = completions[at];
    if (completion === undefined) return [];
    try {
      return [{ run, settings: settingsOf(run.parameters), completion }];
    } catch (error) {
      completion.fail(error);
      return [];
    }
  });
  const finished = trainAll(prepared, strategy, load).catch((error) => {
    const cause = isOutOfMemory(error)
      ? new TrainingError('oom', `out of memory: ${error.message}`, { cause: error })
      : error;
    for (const { completion } of prepared) if (!completion.isComplete) completion.fail(cause);
  });
  return { results: completions.map(({ promise }) => promise), finished };
}

/** Completes every run, or throws an error that ends all remaining runs. */
async function trainAll(
  prepared: readonly PreparedRun[],
  strategy: Strategy | undefined,
  load: LoadImages,
): Promise<void> {
  const [first] = prepared;
  if (first === undefined) return;
  const images = await imagesOf(first, load);
  const created: { dispose(): void }[] = [];
  const own = <T extends { dispose(): void }>(one: T): T => {
    created.push(one);
    return one;
  };
  try {
    const testImages = own(new TestImages(images.test));
    const members = prepared.map((run) => own(new PackMember(run, images, testImages)));
    const seeds = members.map(({ settings, run }) => ({ settings, seed: run.seed }));
    const learner = own(new Learner(seeds, strategy));
    learner.trainOn(images.train, Math.min(first.settings.trainSize, images.train.count));
    await trainMembers(members, learner);
  } finally {
    for (const one of created) one.dispose();
  }
}

async function imagesOf({ settings, run }: PreparedRun, load: LoadImages): Promise<ImageSet> {
  try {
    const { train, test } = await load(settings.dataset, run.dataDir);
    return { train, test: firstOf(test, settings.testSize) };
  } catch (error) {
    const message = errorMessage(error);
    throw new TrainingError('preflight', message, { cause: error });
  }
}

/** Trains one epoch after another until every member has ended. Members may be at different epochs. */
async function trainMembers(all: readonly PackMember[], learner: Learner): Promise<void> {
  let members = all;
  for (const [at, member] of members.entries()) await forMember(member, () => member.prepare(learner, at));
  for (;;) {
    const live = members.flatMap(({ completion }, at) => (completion.isComplete ? [] : [at]));
    if (live.length === 0) return;
    if (live.length < members.length) {
      learner.keepOnly(live);
      members = members.filter(({ completion }) => !completion.isComplete);
    }
    const steps = await trainEpoch(members, learner);
    const sums = await learner.absoluteSums();
    for (const [at, member] of members.entries()) {
      if (member.completion.isComplete) continue;
      await forMember(member, () => member.endEpoch(learner, at, steps[at] ?? [], sums[at] ?? Number.NaN));
    }
  }
}

/** Runs `work` for one member. An out-of-memory error ends all members; any other error ends only this member. */
async function forMember(member: PackMember, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    if (member.epoch >= member.settings.epochs) member.completion.succeed();
  } catch (error) {
    if (isOutOfMemory(error)) throw error;
    member.completion.fail(error);
  }
}

/**
 * Trains each member on every image once, in the member's own order. If a member ends during the epoch, its further
 * steps are still computed, but their losses are ignored. The epoch stops early when all members have ended.
 * @returns for each member, the losses of its steps
 */
async function trainEpoch(members: readonly PackMember[], learner: Learner): Promise<readonly (readonly StepLoss[])[]> {
  const log = new LossLog(members.length);
  const orders = members.map((member) => member.shuffle());
  try {
    const batches = batchesOf(orders, members[0]?.settings.batchSize ?? 1);
    for (const group of groupsOf(batches, () => learner.stepsPerCall)) {
      for (const [at, losses] of learner.train(group).entries()) {
        if (await log.add((group[at]?.length ?? 0) / members.length, losses)) failNonFinite(members, log);
      }
      await pause(members);
      if (members.every(({ completion }) => completion.isComplete)) break;
    }
    await log.readBack();
    failNonFinite(members, log);
    return members.map((_, at) => log.of(at));
  } finally {
    log.dispose();
  }
}

async function pause(members: readonly PackMember[]): Promise<void> {
  await setImmediate();
  for (const { completion, run } of members) {
    if (!completion.isComplete && run.signal.aborted) completion.fail(run.signal.reason);
  }
}

function failNonFinite(members: readonly PackMember[], log: LossLog): void {
  for (const [at, { completion, epoch }] of members.entries()) {
    const steps = log.of(at);
    const invalid = steps.findIndex(({ mse, l1 }) => !Number.isFinite(mse) || !Number.isFinite(l1));
    if (completion.isComplete || invalid === -1) continue;
    try {
      const { mse = 0, l1 = 0 } = steps[invalid] ?? {};
      checkFinite(`epoch ${epoch + 1}, step ${invalid + 1}`, { mse, l1 });
    } catch (error) {
      completion.fail(error);
    }
  }
}
