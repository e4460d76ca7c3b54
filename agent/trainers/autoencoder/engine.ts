/** What holds the networks of a pack and computes their steps, one way for each kind of backend. */
import type * as tf from '@tensorflow/tfjs-core';
import type { AdamState } from './adam-rule.ts';
import type { Layer } from './model.ts';
import type { Settings } from './settings.ts';

/** How a pack is computed by operations of TensorFlow.js's: one batched product for all members, or one each in turn. */
export type TensorStrategy = 'stacked' | 'in-turn';

/** `graphs`: each member as a graph in a session of libtensorflow's. */
export type Strategy = 'graphs' | TensorStrategy;

/** Members are counted from 0; flat parameters are in the layout of the member's own layers. */
export interface Engine {
  /** `rows * ROW` values; reads back from the device. */
  parametersOf(member: number): Promise<Float32Array>;
  /** What a member's network makes of images: `[pixels, images]` to the same shape. Runs within a tidy. */
  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D;
  /**
   * One step of training.
   * @param input `[members * batch, pixels]`, member by member; so is `target`, which may be the same tensor.
   * @returns each member's losses before the update, as `[mse, l1]` in a row of `[members, 2]`.
   */
  step(input: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor2D;
  /** sum|parameter| of each member. */
  absoluteSums(): Promise<readonly number[]>;
  /** Reads back from the device; not while a step is taken. */
  save(member: number): Promise<AdamState>;
  restore(member: number, state: AdamState): void;
  /** Goes on with these members only, in this order. */
  keepOnly(members: readonly number[]): void;
  dispose(): void;
}

/** A member as it begins. */
export interface Beginning {
  readonly settings: Settings;
  readonly layers: readonly Layer[];
  /** Flat, in its own layout. */
  readonly parameters: Float32Array;
}
