/**
 * The engine for the wasm backend. Each member has its own tensors, because a matrix product with a batch dimension is
 * slow on wasm. In each step, TensorFlow.js computes the forward and backward passes, and our own kernel then updates
 * the parameters in place.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type AdamState, momentsAs } from './adam.ts';
import type { Engine, InitialMember } from './engine.ts';
import { type Layer, parameterLayout, ROW } from './model.ts';
import type { LayerTensors } from './parameters.ts';
import { forward, gradientsOf, outputOf } from './passes.ts';
import type { Settings } from './settings.ts';
import { TensorAdamKernel, type UpdatedTensors, updateNumbers } from './wasm-kernels.ts';

interface WasmMember {
  readonly settings: Settings;
  readonly network: readonly LayerTensors[];
  /**
   * For each weight and bias, in the layout's order: its values, which are the tensors of `network`, and its moments.
   */
  readonly state: readonly UpdatedTensors[];
  /** The number of steps so far. */
  steps: number;
}

export class WasmEngine implements Engine {
  readonly #kernel = new TensorAdamKernel();
  #members: readonly WasmMember[] = [];

  constructor(initial: readonly InitialMember[]) {
    try {
      for (const member of initial) {
        const zeros = new Float32Array(member.parameters.length);
        this.#members = [...this.#members, newMember(member, zeros, zeros, 0)];
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  async parametersOf(member: number): Promise<Float32Array> {
    return flatValues(this.#member(member), 'parameters');
  }

  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D {
    return outputOf(forward(this.#member(member).network, input)) as tf.Tensor2D;
  }

  step(input: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor2D {
    const { length } = this.#members;
    const split = (rows: tf.Tensor2D): tf.Tensor2D[] => (length === 1 ? [rows] : tf.split(rows, length, 0));
    return tf.tidy(() => {
      const inputs = split(input);
      const targets = input === target ? inputs : split(target);
      const losses = this.#members.map((member, at) => this.#step(member, itemAt(inputs, at), itemAt(targets, at)));
      return tf.tensor2d(losses.flat(), [length, 2]);
    });
  }

  async absoluteSums(): Promise<readonly number[]> {
    return this.#members.map((member) =>
      flatValues(member, 'parameters').reduce((sum, value) => sum + Math.abs(value), 0),
    );
  }

  async save(member: number): Promise<AdamState> {
    const own = this.#member(member);
    return {
      parameters: flatValues(own, 'parameters'),
      first: flatValues(own, 'first'),
      second: flatValues(own, 'second'),
      steps: own.steps,
      moments: 'sums',
    };
  }

  restore(member: number, state: AdamState): void {
    const own = this.#member(member);
    const { parameters, first, second } = momentsAs('sums', state);
    const layers = own.network.map(({ layer }) => layer);
    const restored = newMember({ settings: own.settings, layers, parameters }, first, second, state.steps);
    this.#members = this.#members.map((each) => (each === own ? restored : each));
    disposeMember(own);
  }

  keepOnly(members: readonly number[]): void {
    const kept = members.map((member) => this.#member(member));
    for (const member of this.#members) if (!kept.includes(member)) disposeMember(member);
    this.#members = kept;
  }

  dispose(): void {
    for (const member of this.#members) disposeMember(member);
  }

  /** @returns the losses before the update: `[mse, l1]` */
  #step(member: WasmMember, input: tf.Tensor2D, target: tf.Tensor2D): [number, number] {
    const { settings, network, state } = member;
    const { gradients, square } = gradientsOf(network, input, target);
    member.steps++;
    const numbers = updateNumbers(settings, member.steps);
    let absoluteSum = 0;
    for (const [at, tensors] of state.entries())
      absoluteSum += this.#kernel.update(tensors, itemAt(gradients, at), numbers);
    const [mse = Number.NaN] = square.dataSync();
    return [mse, settings.lambdaL1 === 0 ? 0 : settings.lambdaL1 * absoluteSum];
  }

  #member(at: number): WasmMember {
    return itemAt(this.#members, at);
  }
}

/**
 * @param first the first moments as sums, in the layout of `parameters`
 * @param second the second moments, in the same form
 */
function newMember(
  { settings, layers, parameters }: InitialMember,
  first: Float32Array,
  second: Float32Array,
  steps: number,
): WasmMember {
  // If the memory runs out, the tidy disposes the tensors that have already been created.
  const [own = [], firsts = [], seconds = []] = tf.tidy(() => {
    const parts = [parameters, first, second].map((values) => layerTensors(layers, values));
    for (const tensor of parts.flat()) tf.keep(tensor);
    return parts;
  });
  return {
    settings,
    network: layers.map((layer, i) => ({ layer, weight: itemAt(own, 2 * i), bias: itemAt(own, 2 * i + 1) })),
    state: own.map((tensor, i) => ({ parameters: tensor, first: itemAt(firsts, i), second: itemAt(seconds, i) })),
    steps,
  };
}

/** Copies flat values to the device: one tensor per weight and bias, in the layout's order. */
function layerTensors(layers: readonly Layer[], values: Float32Array): tf.Tensor2D[] {
  let at = 0;
  const next = (rows: number, columns: number) => {
    at += rows * columns;
    return tf.tensor2d(values.subarray(at - rows * columns, at), [rows, columns]);
  };
  return layers.flatMap(({ inputs, outputs }) => [next(outputs, inputs), next(outputs, 1)]);
}

/** Reads the parameters, the first moments or the second moments of a member: `rows * ROW` values. */
function flatValues({ network, state }: WasmMember, part: keyof UpdatedTensors): Float32Array {
  const flat = new Float32Array(parameterLayout(network.map(({ layer }) => layer)).rows * ROW);
  let at = 0;
  for (const { [part]: tensor } of state) {
    flat.set(tensor.dataSync(), at);
    at += tensor.size;
  }
  return flat;
}

function disposeMember({ state }: WasmMember): void {
  for (const { parameters, first, second } of state) tf.dispose([parameters, first, second]);
}

function itemAt<T>(items: readonly T[], at: number): T {
  const item = items[at];
  if (item === undefined) throw new Error(`the pack has no member ${at}`);
  return item;
}
