/** The networks being trained, one or a pack of them: their parameters, their optimiser and one step. */
import * as tf from '@tensorflow/tfjs-core';
import { initialParameters, type Layer, type Layout, layersOf, layoutOf, ROW } from './model.ts';
import { withNoise } from './noise.ts';
import { Adam, type AdamState, memberOf } from './optimiser.ts';
import { padded, unpadded } from './padding.ts';
import { flatten, flattenStacked, type LayerTensors, type Matrices, networks, stackedNetwork } from './parameters.ts';
import { backward, forward, meanSquare, outputOf, turned } from './passes.ts';
import { Random, STREAMS } from './random.ts';
import type { Settings } from './settings.ts';

/** All that a member's next step depends on. */
export interface LearnerState {
  /** In the member's own layout. */
  readonly adam: AdamState;
  /** Where the generator of the training noise stands. */
  readonly noise: Int32Array;
}

/** How the products of a pack are computed: one batched product for all members, or one after the other. */
export type Strategy = 'stacked' | 'in-turn';

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
  /** Of the widest member. */
  private readonly layers: readonly Layer[];
  private readonly layout: Layout;
  private readonly adam: Adam;
  private readonly strategy: Strategy;

  /** @param members of one depth and batch size; one alone is trained as if there were no packs. */
  constructor(members: readonly MemberSettings[], strategy = usualStrategy()) {
    this.strategy = strategy;
    this.members = members.map(({ settings, seed }) => ({
      settings,
      layers: layersOf(settings.depth, settings.latentDim),
      noise: new Random(seed, STREAMS.trainNoise),
    }));
    const depth = members[0]?.settings.depth ?? 3;
    this.layers = layersOf(depth, Math.max(...members.map(({ settings }) => settings.latentDim)));
    this.layout = layoutOf(this.layers);
    const initial = tf.tidy(() => {
      const each = members.map(({ seed }, at) => {
        const { layers } = this.member(at);
        const own = initialParameters(layers, new Random(seed, STREAMS.weights));
        return tf.tensor3d(padded(own, layers, this.layers), [1, this.layout.rows, ROW]);
      });
      return tf.concat3d(each, 0);
    });
    this.adam = new Adam(
      initial,
      members.map(({ settings }) => ({
        learningRate: settings.learningRate,
        weightDecay: settings.weightDecay,
        l1: settings.l1InGradient ? settings.lambdaL1 : 0,
      })),
    );
  }

  get count(): number {
    return this.members.length;
  }

  /** A member's layers, by its own latent dimension. */
  layersOf(member: number): readonly Layer[] {
    return this.member(member).layers;
  }

  /** A member's parameters in its own layout, `rows * ROW` values; reads back from the device. */
  async parametersOf(member: number): Promise<Float32Array> {
    const own = memberOf(this.adam.parameters, member);
    try {
      return unpadded(await own.data<'float32'>(), this.layersOf(member), this.layers);
    } finally {
      own.dispose();
    }
  }

  /** What a member's network makes of images as they are: `[pixels, images]` to the same shape. Runs within a tidy. */
  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D {
    const [network = []] = networks(memberOf(this.adam.parameters, member), this.layers, this.layout);
    return outputOf(forward(network, input)) as tf.Tensor2D;
  }

  /**
   * One step of training on a batch of clean images for each member: `[members * batch, pixels]`, member by member.
   * @returns each member's losses before the update, as `[mse, l1]` in a row of `[members, 2]` on the device: mean
   * squared error and lambda_l1 * sum|parameter|.
   */
  step(clean: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const noisy = this.noisy(clean);
      const { gradient, squares } =
        this.strategy === 'stacked' && this.count > 1 ? this.stacked(noisy, clean) : this.inTurn(noisy, clean);
      const losses = tf.stack([squares, this.l1()], 1) as tf.Tensor2D;
      this.adam.step(gradient);
      return losses;
    });
  }

  /** sum|parameter| of each member; not finite as soon as one parameter is not. */
  async absoluteSums(): Promise<readonly number[]> {
    const sums = tf.tidy(() => absoluteSums(this.adam.parameters));
    try {
      return [...(await sums.data())];
    } finally {
      sums.dispose();
    }
  }

  /** Reads back from the device; not while a step is taken. */
  async save(member: number): Promise<LearnerState> {
    const { steps, moments, ...matrices } = await this.adam.save(member);
    const own = (values: Float32Array) => unpadded(values, this.layersOf(member), this.layers);
    const { parameters, first, second } = matrices;
    return {
      adam: { steps, moments, parameters: own(parameters), first: own(first), second: own(second) },
      noise: this.member(member).noise.save(),
    };
  }

  /** A member goes on from the state of one of the same settings, of this pack or another. */
  restore(member: number, { adam, noise }: LearnerState): void {
    const wide = (values: Float32Array) => padded(values, this.layersOf(member), this.layers);
    const { parameters, first, second } = adam;
    this.adam.restore(member, {
      ...adam,
      ...{ parameters: wide(parameters), first: wide(first), second: wide(second) },
    });
    this.member(member).noise.restore(noise);
  }

  /** Goes on with these members only, in this order. */
  keepOnly(members: readonly number[]): void {
    this.adam.keepOnly(members);
    this.members = members.map((member) => this.member(member));
  }

  dispose(): void {
    this.adam.dispose();
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

  /** The networks' gradient `[members, rows, ROW]`, and the mean squares of their errors `[members]`. */
  private stacked(noisy: tf.Tensor2D, clean: tf.Tensor2D): { gradient: tf.Tensor3D; squares: tf.Tensor } {
    const shape: [number, number, number] = [this.count, clean.shape[0] / this.count, clean.shape[1]];
    const network = stackedNetwork(this.adam.parameters, this.layers, this.layout);
    const input = tf.reshape<tf.Rank.R3>(noisy, shape);
    const { gradients, square } = gradientsOf(
      network,
      input,
      noisy === clean ? input : tf.reshape<tf.Rank.R3>(clean, shape),
    );
    return { gradient: flattenStacked(gradients, this.layout), squares: square };
  }

  private inTurn(noisy: tf.Tensor2D, clean: tf.Tensor2D): { gradient: tf.Tensor3D; squares: tf.Tensor } {
    const cut = (rows: tf.Tensor2D): tf.Tensor2D[] => (this.count === 1 ? [rows] : tf.split(rows, this.count, 0));
    const inputs = cut(noisy);
    const targets = noisy === clean ? inputs : cut(clean);
    const each = networks(this.adam.parameters, this.layers, this.layout).map((network, at) => {
      const { gradients, square } = gradientsOf(network, rowsOf(inputs, at), rowsOf(targets, at));
      return { gradient: flatten(gradients, this.layout), square };
    });
    const gradients = each.map(({ gradient }) => gradient);
    return {
      gradient: gradients.length === 1 ? rowsOf(gradients, 0) : tf.concat3d(gradients, 0),
      squares: tf.stack(each.map(({ square }) => square)),
    };
  }

  private l1(): tf.Tensor {
    const weights = this.members.map(({ settings }) => settings.lambdaL1);
    if (weights.every((weight) => weight === 0)) return tf.zeros([this.count]);
    return tf.mul(absoluteSums(this.adam.parameters), tf.tensor1d(weights));
  }
}

/** On wasm a product with a batch dimension leaves the fast path; elsewhere one large product beats many small ones. */
function usualStrategy(): Strategy {
  return tf.getBackend() === 'wasm' ? 'in-turn' : 'stacked';
}

/** @param inputRows `[batch, pixels]`, with the members in front where the network has them; so is `targetRows`. */
function gradientsOf<T extends Matrices>(network: readonly LayerTensors[], inputRows: T, targetRows: T) {
  const input = turned(inputRows);
  const target = inputRows === targetRows ? input : turned(targetRows);
  const activations = forward(network, input);
  const error = tf.sub<Matrices>(outputOf(activations), target);
  return { gradients: backward(network, activations, inputRows, error), square: meanSquare(error) };
}

function rowsOf<T>(items: readonly T[], at: number): T {
  const item = items[at];
  if (item === undefined) throw new Error(`the pack has no member ${at}`);
  return item;
}

/** `[members]` of `[members, rows, ROW]`. */
function absoluteSums(parameters: tf.Tensor3D): tf.Tensor1D {
  return tf.sum(tf.sum(tf.abs(parameters), 2), 1);
}
