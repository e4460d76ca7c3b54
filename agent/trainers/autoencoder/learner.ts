/** The networks being trained, one or a pack of them: their parameters, their optimiser and one step. */
import * as tf from '@tensorflow/tfjs-core';
import type { AdamState } from './adam-rule.ts';
import type { Beginning, Engine, Strategy } from './engine.ts';
import { GraphEngine } from './graph-engine.ts';
import { initialParameters, type Layer, layersOf } from './model.ts';
import { nativeBackend } from './native-backend.ts';
import { withNoise } from './noise.ts';
import { Random, STREAMS } from './random.ts';
import type { Settings } from './settings.ts';
import { TensorEngine } from './tensor-engine.ts';

/** All that a member's next step depends on. */
export interface LearnerState {
  /** In the member's own layout. */
  readonly adam: AdamState;
  /** Where the generator of the training noise stands. */
  readonly noise: Int32Array;
}

export interface MemberSettings {
  readonly settings: Settings;
  readonly seed: number;
}

interface Member {
  readonly settings: Settings;
  readonly layers: readonly Layer[];
  readonly noise: Random;
}

export class Learner {
  private members: readonly Member[];
  private readonly engine: Engine;

  /** @param members of one depth and batch size; one alone is trained as if there were no packs. */
  constructor(members: readonly MemberSettings[], strategy = usualStrategy()) {
    const beginnings = members.map(({ settings, seed }): Beginning => {
      const layers = layersOf(settings.depth, settings.latentDim);
      return { settings, layers, parameters: initialParameters(layers, new Random(seed, STREAMS.weights)) };
    });
    this.members = beginnings.map(({ settings, layers }, at) => ({
      settings,
      layers,
      noise: new Random(members[at]?.seed ?? 0, STREAMS.trainNoise),
    }));
    this.engine = strategy === 'graphs' ? new GraphEngine(beginnings) : new TensorEngine(beginnings, strategy);
  }

  get count(): number {
    return this.members.length;
  }

  /** A member's layers, by its own latent dimension. */
  layersOf(member: number): readonly Layer[] {
    return this.member(member).layers;
  }

  /** A member's parameters in its own layout, `rows * ROW` values; reads back from the device. */
  parametersOf(member: number): Promise<Float32Array> {
    return this.engine.parametersOf(member);
  }

  /** What a member's network makes of images as they are: `[pixels, images]` to the same shape. Runs within a tidy. */
  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D {
    return this.engine.reconstruct(member, input);
  }

  /**
   * One step of training on a batch of clean images for each member: `[members * batch, pixels]`, member by member.
   * @returns each member's losses before the update, as `[mse, l1]` in a row of `[members, 2]` on the device: mean
   * squared error and lambda_l1 * sum|parameter|.
   */
  step(clean: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => this.engine.step(this.noisy(clean), clean));
  }

  /** sum|parameter| of each member; not finite as soon as one parameter is not. */
  absoluteSums(): Promise<readonly number[]> {
    return this.engine.absoluteSums();
  }

  /** Reads back from the device; not while a step is taken. */
  async save(member: number): Promise<LearnerState> {
    return { adam: await this.engine.save(member), noise: this.member(member).noise.save() };
  }

  /** A member goes on from the state of one of the same settings, of this pack or another. */
  restore(member: number, { adam, noise }: LearnerState): void {
    this.engine.restore(member, adam);
    this.member(member).noise.restore(noise);
  }

  /** Goes on with these members only, in this order. */
  keepOnly(members: readonly number[]): void {
    this.engine.keepOnly(members);
    this.members = members.map((member) => this.member(member));
  }

  dispose(): void {
    this.engine.dispose();
  }

  private member(at: number): Member {
    const member = this.members[at];
    if (member === undefined) throw new Error(`the pack has no member ${at}`);
    return member;
  }

  private noisy(clean: tf.Tensor2D): tf.Tensor2D {
    const noises = this.members.map(({ settings, noise }) => ({ std: settings.noiseStd, random: noise }));
    return noises.some(({ std }) => std > 0) ? withNoise(clean, noises) : clean;
  }
}

/** On wasm a product with a batch dimension leaves the fast path; on a GPU one large product beats many small ones. */
function usualStrategy(): Strategy {
  if (nativeBackend()?.isUsingGpuDevice === false) return 'graphs';
  return tf.getBackend() === 'wasm' ? 'in-turn' : 'stacked';
}
