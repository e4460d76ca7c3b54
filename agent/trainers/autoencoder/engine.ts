/**
 * Defines the interface of an engine, which holds the networks of a pack and computes their training steps. Each engine
 * supports certain backends.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { BadInputError } from '../../../proto/errors.ts';
import type { AdamState } from './adam.ts';
import type { Layer } from './model.ts';
import type { Settings } from './settings.ts';

/**
 * The way in which a pack is computed. `graphs`: each member is a graph in its own libtensorflow session. `pack-graph`:
 * the whole pack is one graph. `stacked`: each TensorFlow.js operation computes all members. `in-turn`: the members
 * are computed one after the other, on the wasm backend.
 */
export type Strategy = 'graphs' | 'pack-graph' | 'stacked' | 'in-turn';

/** The values of TRAWL_GPU_PACKS. */
const GPU_STRATEGIES = { operations: 'stacked', graph: 'pack-graph' } as const;
type GpuPacks = keyof typeof GPU_STRATEGIES;

/**
 * Returns how a GPU computes packs. The environment variable TRAWL_GPU_PACKS selects separate operations (`operations`,
 * the default) or one graph per pack (`graph`). The graph is not the default, because it has not run on a GPU yet
 * (docs/gpu.md).
 * @throws {BadInputError} if the variable has another value
 */
export function gpuStrategy(env: NodeJS.ProcessEnv): 'stacked' | 'pack-graph' {
  const { TRAWL_GPU_PACKS: value } = env;
  if (value === undefined || value === '') return GPU_STRATEGIES.operations;
  const found = (Object.keys(GPU_STRATEGIES) as GpuPacks[]).find((name) => name === value);
  if (found === undefined) throw new BadInputError(`TRAWL_GPU_PACKS is ${value}, expected operations, graph`);
  return GPU_STRATEGIES[found];
}

/** Members are counted from 0. Flat parameters have the layout of the member's own layers. */
export interface Engine {
  /**
   * Reads a member's parameters from the device: `rows * ROW` values (see model.ts), with zeros after the last
   * parameter.
   */
  parametersOf(member: number): Promise<Float32Array>;
  /**
   * Returns a member's reconstruction of the images in `input`. Both have the shape `[pixels, images]`. The method must
   * be called within tf.tidy.
   */
  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D;
  /**
   * Trains one step.
   * @param input `[members * batch, pixels]`, member by member
   * @param target the same shape, and possibly the same tensor
   * @returns the losses before the update, `[members, 2]`: one row `[mse, l1]` per member
   */
  step(input: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor2D;
  /** Defined if the engine can hold the training images and train several steps in one call. */
  readonly loop?: StepLoop;
  /** Returns sum|parameter| of each member. */
  absoluteSums(): Promise<readonly number[]>;
  /** Reads a member's state from the device. The method must not run during a step. */
  save(member: number): Promise<AdamState>;
  restore(member: number, state: AdamState): void;
  /** Keeps only the given members, in the given order. */
  keepOnly(members: readonly number[]): void;
  dispose(): void;
}

/** Trains several steps in one call, on images that are on the device. */
export interface StepLoop {
  /** Copies the training images to the device: `[images, pixels]`. */
  hold(images: tf.Tensor2D): void;
  /**
   * @param batches for each step, the indices of one batch per member, member by member; all batches have the same size
   * @param noise for each step, the values that are added to the pixels of its batches; undefined if no member has
   * noise
   * @returns for each step, the losses before the update: `[mse, l1]` per member
   */
  train(batches: readonly Int32Array[], noise: readonly Float32Array[] | undefined): readonly Float32Array[];
}

/** A member before its first step. */
export interface InitialMember {
  readonly settings: Settings;
  readonly layers: readonly Layer[];
  /** The flat parameters, in the layout of `layers`. */
  readonly parameters: Float32Array;
}
