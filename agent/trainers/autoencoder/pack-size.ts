/**
 * Determines how many trials a pack should have on a GPU. A formula gives the number of trials that fit into the GPU's
 * memory. Measurements then select the fastest pack size up to this number.
 */
import * as tf from '@tensorflow/tfjs-core';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { gpuMemory } from '../../machine/gpus.ts';
import { gpuStrategy, type Strategy } from './engine.ts';
import { Learner } from './learner.ts';
import { type Layer, layersOf, PIXELS, parameterLayout, ROW } from './model.ts';
import { settingsOf } from './settings.ts';

/** The maximum pack size with `--pack auto`. */
export const MAX_AUTO_PACK = 64;
/** The share of the free memory that a pack can use. The rest is left for the allocator and other processes. */
const USABLE_SHARE = 0.6;
/** The memory that all members share, in bytes: the training images, and the activations of one evaluation at a time. */
const SHARED_BYTES = (60_000 + 4 * 10_000) * PIXELS * 4;
const TEST_INPUT_BYTES = 10_000 * PIXELS * 4;
const FLOAT_BYTES = 4;
/** A larger pack is used only if it is faster by this factor, because it also delays the trials of other sweeps. */
const WORTHWHILE = 1.1;
const MEASURED_S = 0.2;

/**
 * The memory of one member during a step, in multiples of the size of its parameters: the parameters, both moments, the
 * gradient, and the temporary values of the elastic net and of Adam. In a measurement on a CPU, each member increased
 * the memory of the process by 13.6 times the size of its parameters if the learning rates of the members differed, and
 * by 12.0 times this size if the learning rates were equal. These numbers include the arrays of JavaScript
 * (docs/gpu.md).
 */
const PARAMETER_COPIES = 12;
/**
 * The strategy `stacked` keeps the tensors of all operations until the end of a step. A member then needs up to this
 * multiple of {@link memberBytes}.
 */
const OPERATIONS_FACTOR = 2;

/**
 * Returns the memory that one member needs during a step, in bytes: its parameters with their copies, its activations
 * with their gradients, its noisy batch, and its noisy test images.
 * @param batch the number of images per step
 */
export function memberBytes(layers: readonly Layer[], batch: number): number {
  const parameters = parameterLayout(layers).rows * ROW;
  const activations = layers.reduce((sum, { outputs }) => sum + outputs, PIXELS) * batch;
  const images = 3 * PIXELS * batch;
  return (PARAMETER_COPIES * parameters + 3 * activations + images) * FLOAT_BYTES + TEST_INPUT_BYTES;
}

/**
 * Returns how many trials of the largest network with the default batch size fit into the memory together, up to
 * MAX_AUTO_PACK, but at least 1.
 * @param freeBytes undefined if the memory is not known; one trial is then assumed to fit
 */
export function packThatFits(freeBytes: number | undefined, strategy: 'stacked' | 'pack-graph'): number {
  if (freeBytes === undefined) return 1;
  const { batchSize } = settingsOf(withDefaults(TRAINERS.autoencoder, {}));
  const usable = freeBytes * USABLE_SHARE - SHARED_BYTES;
  const each = memberBytes(layersOf(5, 100), batchSize) * (strategy === 'stacked' ? OPERATIONS_FACTOR : 1);
  return Math.max(1, Math.min(MAX_AUTO_PACK, Math.floor(usable / each)));
}

/**
 * Returns the fastest pack size for this process's GPU; 1 if nvidia-smi does not report the memory.
 * @param sharedBy the number of slots that share the GPU evenly
 * @param warn called with the reason if a pack size could not be measured
 */
export async function fastestPackThatFits(sharedBy: number, warn: (message: string) => void): Promise<number> {
  const memory = await gpuMemory();
  const own = memory && Math.min(memory.freeBytes, memory.totalBytes / sharedBy);
  return fastestPack(packThatFits(own, gpuStrategy(process.env)), measuredRate, warn);
}

/**
 * Measures the pack sizes 1, 4, 8, 16, ... up to `most`, until a larger pack is no longer worthwhile. Also stops if a
 * size cannot be measured, for any reason, because packs are only an optimization.
 * @param rateOf measures the training steps per second of all members together
 * @param warn called with the reason if `rateOf` rejects
 * @returns the selected pack size; 1 if not even one trial can be measured
 */
export async function fastestPack(
  most: number,
  rateOf: (pack: number) => Promise<number>,
  warn: (message: string) => void,
): Promise<number> {
  if (most === 1) return 1;
  const measured = (pack: number) =>
    rateOf(pack).catch((error: unknown) => {
      warn(`packs of ${pack} are not used, because their speed could not be measured: ${errorMessage(error)}`);
      return undefined;
    });
  const rateOfOne = await measured(1);
  if (rateOfOne === undefined) return 1;
  let best = { pack: 1, rate: rateOfOne };
  for (let pack = Math.min(4, most); ; pack = Math.min(2 * pack, most)) {
    const rate = await measured(pack);
    if (rate === undefined || rate < best.rate * WORTHWHILE) return best.pack;
    best = { pack, rate };
    if (pack === most) return pack;
  }
}

/**
 * Trains a pack of networks with 3 layers on the device of this process, and returns the steps per second of all members
 * together.
 * @param strategy default: the strategy of the current backend
 * @throws {Error} if the pack cannot be trained, for example because the memory ran out
 */
export async function measuredRate(pack: number, strategy?: Strategy): Promise<number> {
  const settings = settingsOf(withDefaults(TRAINERS.autoencoder, {}));
  const { batchSize } = settings;
  const learner = new Learner(
    Array.from({ length: pack }, (_, seed) => ({ settings, seed })),
    strategy,
  );
  try {
    learner.trainOn({ read: (indices) => new Uint8Array(indices.length * PIXELS) }, batchSize);
    const batch = Int32Array.from({ length: pack * batchSize }, (_, at) => at % batchSize);
    // The first call is not measured, because it is slower. With a graph, for example, it also compiles the graph.
    tf.dispose(trainOnce(learner, batch).filter((losses) => losses instanceof tf.Tensor));
    const start = performance.now();
    let steps = 0;
    while (performance.now() - start < MEASURED_S * 1000) {
      const losses = trainOnce(learner, batch);
      steps += losses.length;
      tf.dispose(losses.filter((each) => each instanceof tf.Tensor));
    }
    await learner.absoluteSums();
    return (pack * steps * 1000) / (performance.now() - start);
  } finally {
    learner.dispose();
  }
}

function trainOnce(learner: Learner, batch: Int32Array): readonly (tf.Tensor2D | Float32Array)[] {
  return learner.train(Array.from({ length: learner.stepsPerCall }, () => batch));
}
