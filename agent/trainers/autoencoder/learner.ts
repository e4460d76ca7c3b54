/** The networks of one trial or a pack: their parameters, their optimizer, and the training step. */
import * as tf from '@tensorflow/tfjs-core';
import type { AdamState } from './adam.ts';
import type { Engine, InitialMember, Strategy } from './engine.ts';
import { GraphEngine } from './graph-engine.ts';
import { withNoise } from './images.ts';
import { nativeBackend } from './libtensorflow.ts';
import { initialParameters, type Layer, layersOf } from './model.ts';
import { Random, STREAMS } from './random.ts';
import type { Settings } from './settings.ts';
import { TensorEngine } from './tensor-engine.ts';

/** The state that determines a member's next step. */
export interface LearnerState {
  /** The state uses the layout of the member's own layers. */
  readonly adam: AdamState;
  /** The state of the generator of the training noise. */
  readonly noise: Int32Array;
}

export interface MemberSettings {
  readonly settings: Settings;
  readonly seed: number;
}

interface LearnerMember {
  readonly settings: Settings;
  readonly layers: readonly Layer[];
  readonly noise: Random;
}

export class Learner {
  private members: readonly LearnerMember[];
  private readonly engine: Engine;

  /**
   * @param members trials with the same depth and batch size; a single trial is trained without the overhead of packs
   */
  constructor(members: readonly MemberSettings[], strategy = defaultStrategy()) {
    const initial = members.map(({ settings, seed }): InitialMember => {
      const layers = layersOf(settings.depth, settings.latentDim);
      return { settings, layers, parameters: initialParameters(layers, new Random(seed, STREAMS.weights)) };
    });
    this.members = initial.map(({ settings, layers }, at) => ({
      settings,
      layers,
      noise: new Random(members[at]?.seed ?? 0, STREAMS.trainNoise),
    }));
    this.engine = strategy === 'graphs' ? new GraphEngine(initial) : new TensorEngine(initial, strategy);
  }

  get count(): number {
    return this.members.length;
  }

  /** Returns a member's layers, with the member's own latent dimension. */
  layersOf(member: number): readonly Layer[] {
    return this.member(member).layers;
  }

  /** Reads a member's parameters from the device: `rows * ROW` values in the layout of its own layers. */
  parametersOf(member: number): Promise<Float32Array> {
    return this.engine.parametersOf(member);
  }

  /**
   * Returns a member's reconstruction of the images in `input`. Both have the shape `[pixels, images]`. The method must
   * run in a tidy.
   */
  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D {
    return this.engine.reconstruct(member, input);
  }

  /**
   * Trains one step on a batch of clean images per member.
   * @param clean `[members * batch, pixels]`, member by member
   * @returns the losses before the update, on the device: one row `[mse, l1]` per member in `[members, 2]`, where l1 is
   *   lambda_l1 * sum|parameter|
   */
  step(clean: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => this.engine.step(this.noisy(clean), clean));
  }

  /** Returns sum|parameter| of each member. The sum is not finite when any parameter is not finite. */
  absoluteSums(): Promise<readonly number[]> {
    return this.engine.absoluteSums();
  }

  /** Reads a member's state from the device. The method must not run during a step. */
  async save(member: number): Promise<LearnerState> {
    return { adam: await this.engine.save(member), noise: this.member(member).noise.save() };
  }

  /** Restores a member's state. The state can be from any pack, but must be from a trial with the same layers. */
  restore(member: number, { adam, noise }: LearnerState): void {
    this.engine.restore(member, adam);
    this.member(member).noise.restore(noise);
  }

  /** Keeps only the given members, in the given order. */
  keepOnly(members: readonly number[]): void {
    this.engine.keepOnly(members);
    this.members = members.map((member) => this.member(member));
  }

  dispose(): void {
    this.engine.dispose();
  }

  private member(at: number): LearnerMember {
    const member = this.members[at];
    if (member === undefined) throw new Error(`the pack has no member ${at}`);
    return member;
  }

  private noisy(clean: tf.Tensor2D): tf.Tensor2D {
    const noises = this.members.map(({ settings, noise }) => ({ std: settings.noiseStd, random: noise }));
    return noises.some(({ std }) => std > 0) ? withNoise(clean, noises) : clean;
  }
}

/**
 * Returns the fastest strategy for the backend. On wasm, a matrix product with a batch dimension is slow. On a GPU, one
 * large product is faster than many small products.
 */
function defaultStrategy(): Strategy {
  if (nativeBackend()?.isUsingGpuDevice === false) return 'graphs';
  return tf.getBackend() === 'wasm' ? 'in-turn' : 'stacked';
}
