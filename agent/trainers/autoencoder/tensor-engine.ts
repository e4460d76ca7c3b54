/**
 * The default engine on a GPU. It uses TensorFlow.js operations, and stores the parameters of all members in one
 * tensor. Each operation computes all members. The engine also works on any other backend.
 */
import * as tf from '@tensorflow/tfjs-core';
import { Adam, type AdamState, memberOf } from './adam.ts';
import type { Engine, InitialMember } from './engine.ts';
import { type Layer, type ParameterLayout, parameterLayout, ROW } from './model.ts';
import { flatten, flattenStacked, networks, padded, stackedNetwork, unpadded } from './parameters.ts';
import { forward, gradientsOf, outputOf } from './passes.ts';
import type { Settings } from './settings.ts';

interface TensorMember {
  readonly settings: Settings;
  readonly layers: readonly Layer[];
}

export class TensorEngine implements Engine {
  private members: readonly TensorMember[];
  /** The layers of the member with the largest latent dimension. */
  private readonly layers: readonly Layer[];
  private readonly layout: ParameterLayout;
  private readonly adam: Adam;

  constructor(members: readonly InitialMember[]) {
    this.members = members;
    const widest = members.reduce((widest, member) =>
      member.settings.latentDim > widest.settings.latentDim ? member : widest,
    );
    this.layers = widest.layers;
    this.layout = parameterLayout(this.layers);
    const initial = tf.tidy(() => {
      const each = members.map(({ parameters, layers }) =>
        tf.tensor3d(padded(parameters, layers, this.layers), [1, this.layout.rows, ROW]),
      );
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

  async parametersOf(member: number): Promise<Float32Array> {
    const own = memberOf(this.adam.parameters, member);
    try {
      return unpadded(await own.data<'float32'>(), this.layersOf(member), this.layers);
    } finally {
      own.dispose();
    }
  }

  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D {
    const [network = []] = networks(memberOf(this.adam.parameters, member), this.layers, this.layout);
    return outputOf(forward(network, input)) as tf.Tensor2D;
  }

  step(input: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const { gradient, squares } = this.members.length > 1 ? this.stacked(input, target) : this.alone(input, target);
      const losses = tf.stack([squares, this.l1()], 1) as tf.Tensor2D;
      this.adam.step(gradient);
      return losses;
    });
  }

  async absoluteSums(): Promise<readonly number[]> {
    const sums = tf.tidy(() => absoluteSums(this.adam.parameters));
    try {
      return [...(await sums.data())];
    } finally {
      sums.dispose();
    }
  }

  async save(member: number): Promise<AdamState> {
    const { parameters, first, second, ...rest } = await this.adam.save(member);
    const own = (values: Float32Array) => unpadded(values, this.layersOf(member), this.layers);
    return { ...rest, parameters: own(parameters), first: own(first), second: own(second) };
  }

  restore(member: number, state: AdamState): void {
    const wide = (values: Float32Array) => padded(values, this.layersOf(member), this.layers);
    const { parameters, first, second } = state;
    this.adam.restore(member, {
      ...state,
      parameters: wide(parameters),
      first: wide(first),
      second: wide(second),
    });
  }

  keepOnly(members: readonly number[]): void {
    this.adam.keepOnly(members);
    this.members = members.flatMap((member) => this.members[member] ?? []);
  }

  dispose(): void {
    this.adam.dispose();
  }

  private layersOf(member: number): readonly Layer[] {
    return memberAt(this.members, member).layers;
  }

  /** Returns gradients `[members, rows, ROW]` and mean squared errors `[members]`. */
  private stacked(noisy: tf.Tensor2D, clean: tf.Tensor2D): { gradient: tf.Tensor3D; squares: tf.Tensor } {
    const shape: [number, number, number] = [this.members.length, clean.shape[0] / this.members.length, clean.shape[1]];
    const network = stackedNetwork(this.adam.parameters, this.layers, this.layout);
    const input = tf.reshape<tf.Rank.R3>(noisy, shape);
    const { gradients, square } = gradientsOf(
      network,
      input,
      noisy === clean ? input : tf.reshape<tf.Rank.R3>(clean, shape),
    );
    return { gradient: flattenStacked(gradients, this.layout), squares: square };
  }

  /** Does the same as {@link stacked} for a single member. The matrix products have no dimension for the members. */
  private alone(noisy: tf.Tensor2D, clean: tf.Tensor2D): { gradient: tf.Tensor3D; squares: tf.Tensor } {
    const [network = []] = networks(this.adam.parameters, this.layers, this.layout);
    const { gradients, square } = gradientsOf(network, noisy, clean);
    return { gradient: flatten(gradients, this.layout), squares: tf.reshape(square, [1]) };
  }

  private l1(): tf.Tensor {
    const weights = this.members.map(({ settings }) => settings.lambdaL1);
    if (weights.every((weight) => weight === 0)) return tf.zeros([this.members.length]);
    return tf.mul(absoluteSums(this.adam.parameters), tf.tensor1d(weights));
  }
}

function memberAt<T>(items: readonly T[], at: number): T {
  const item = items[at];
  if (item === undefined) throw new Error(`the pack has no member ${at}`);
  return item;
}

function absoluteSums(parameters: tf.Tensor3D): tf.Tensor1D {
  return tf.sum(tf.sum(tf.abs(parameters), 2), 1);
}
