/** Determines how many trials fit into a GPU's memory, by measuring one step of a large network. */
import * as tf from '@tensorflow/tfjs-core';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { gpuMemory } from '../../machine/gpus.ts';
import { Learner } from './learner.ts';
import { PIXELS } from './model.ts';
import { settingsOf } from './settings.ts';

/** The maximum pack size with `--pack auto`. Larger packs are hardly faster, because this size keeps a GPU busy. */
const MAX_AUTO_PACK = 64;
/** The share of the free memory that a pack can use. The rest is left for the allocator and other processes. */
const USABLE_SHARE = 0.6;
const TEST_INPUT_BYTES = 10_000 * PIXELS * 4;
/** With two members, the probe measures a step of a pack, not of a single trial. */
const PROBE_MEMBERS = 2;

/**
 * Returns how many trials of a pack fit into the GPU's memory together, up to MAX_AUTO_PACK; 1 if nvidia-smi does not
 * report the memory.
 * @param sharedBy number of slots that share this process's GPU evenly
 */
export async function packThatFits(sharedBy: number): Promise<number> {
  const memory = await gpuMemory();
  const own = memory && Math.min(memory.freeBytes, memory.totalBytes / sharedBy);
  return packFor(own, await bytesPerMember());
}

function packFor(freeBytes: number | undefined, memberBytes: number): number {
  if (freeBytes === undefined) return 1;
  return Math.max(1, Math.min(MAX_AUTO_PACK, Math.floor((freeBytes * USABLE_SHARE) / memberBytes)));
}

/**
 * Returns the memory that one member needs, in bytes: its test images, and its share of the peak during a step of
 * networks with 5 layers and 100 latent dimensions.
 */
async function bytesPerMember(): Promise<number> {
  const settings = settingsOf(withDefaults(TRAINERS.autoencoder, { depth: 5, latent_dim: 100, noise_std: 0.5 }));
  const learner = new Learner(
    Array.from({ length: PROBE_MEMBERS }, (_, seed) => ({ settings, seed })),
    'stacked',
  );
  const batch: tf.Tensor2D = tf.zeros([PROBE_MEMBERS * settings.batchSize, PIXELS]);
  try {
    const { peakBytes } = await tf.profile(() => learner.step(batch));
    return peakBytes / PROBE_MEMBERS + TEST_INPUT_BYTES;
  } finally {
    batch.dispose();
    learner.dispose();
  }
}
