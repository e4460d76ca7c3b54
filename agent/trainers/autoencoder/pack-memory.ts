/** How many trials fit into a GPU's memory: measured, from one step of the largest network. */
import * as tf from '@tensorflow/tfjs-core';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { gpuMemory } from '../../machine/gpus.ts';
import { Learner } from './learner.ts';
import { PIXELS } from './model.ts';
import { settingsOf } from './settings.ts';

/** Members beyond these gain little: the card is full of work long before it is full of memory. */
const MAX_AUTO_PACK = 64;
/** Of what is free, the share that a pack may take: the allocator's own needs and other users keep the rest. */
const USABLE_SHARE = 0.6;
/** A denoising member's own test inputs: 10,000 images in float32. */
const TEST_INPUT_BYTES = 10_000 * PIXELS * 4;
/** Two members, so that the step is computed as a pack's. */
const PROBED = 2;

/** @param sharedBy slots that share the GPU that this process sees: each has as much of it as another */
export async function packThatFits(sharedBy: number): Promise<number> {
  const memory = await gpuMemory();
  const own = memory && Math.min(memory.freeBytes, memory.totalBytes / sharedBy);
  return packFor(own, await bytesPerMember());
}

/** @param freeBytes undefined: nobody can tell; then nothing is packed. */
function packFor(freeBytes: number | undefined, memberBytes: number): number {
  if (freeBytes === undefined) return 1;
  return Math.max(1, Math.min(MAX_AUTO_PACK, Math.floor((freeBytes * USABLE_SHARE) / memberBytes)));
}

/** What one member of the deepest net takes at the peak of a step. */
async function bytesPerMember(): Promise<number> {
  const settings = settingsOf(withDefaults(TRAINERS.autoencoder, { depth: 5, latent_dim: 100, noise_std: 0.5 }));
  const learner = new Learner(
    Array.from({ length: PROBED }, (_, seed) => ({ settings, seed })),
    'stacked',
  );
  const batch: tf.Tensor2D = tf.zeros([PROBED * settings.batchSize, PIXELS]);
  try {
    const { peakBytes } = await tf.profile(() => learner.step(batch));
    return peakBytes / PROBED + TEST_INPUT_BYTES;
  } finally {
    batch.dispose();
    learner.dispose();
  }
}
