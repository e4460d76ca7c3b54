/**
 * The engine for libtensorflow on the CPU: each member is a graph in its own session, and a step of a member is one
 * call of tfjs-node's addon.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type AdamState, correctedRate, momentsAs } from './adam.ts';
import type { Engine, InitialMember } from './engine.ts';
import { NativeSession } from './libtensorflow.ts';
import { type Layer, type ParameterLayout, parameterLayout } from './model.ts';
import { networks } from './parameters.ts';
import { forward, outputOf } from './passes.ts';
import type { Settings } from './settings.ts';
import { FEEDS, FETCHES, trainingGraph } from './training-graph.ts';

interface GraphMember {
  readonly settings: Settings;
  readonly layers: readonly Layer[];
  readonly layout: ParameterLayout;
  readonly session: NativeSession;
  /** The number of steps so far. */
  steps: number;
}

export class GraphEngine implements Engine {
  #members: readonly GraphMember[] = [];

  constructor(initial: readonly InitialMember[]) {
    try {
      for (const { settings, layers, parameters } of initial) {
        const session = new NativeSession(trainingGraph(layers, settings));
        this.#members = [...this.#members, { settings, layers, layout: parameterLayout(layers), session, steps: 0 }];
        const zeros = new Float32Array(parameters.length);
        setState(session, [parameters, zeros, zeros]);
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  parametersOf(member: number): Promise<Float32Array> {
    return this.#read(member, FETCHES.state[0]);
  }

  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D {
    const { session, layers, layout } = this.#member(member);
    const [network = []] = networks(session.run({}, FETCHES.state[0]) as tf.Tensor3D, layers, layout);
    return outputOf(forward(network, input)) as tf.Tensor2D;
  }

  step(input: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const inputs = this.#split(input);
      const targets = input === target ? inputs : this.#split(target);
      const losses = this.#members.map((member, at) => step(member, itemAt(inputs, at), itemAt(targets, at)));
      return losses.length === 1 ? itemAt(losses, 0) : tf.concat2d(losses, 0);
    });
  }

  async absoluteSums(): Promise<readonly number[]> {
    const sums = this.#members.map(({ session }) => session.run({}, FETCHES.absoluteSum));
    try {
      return await Promise.all(sums.map(async (sum) => (await sum.data())[0] ?? Number.NaN));
    } finally {
      tf.dispose(sums);
    }
  }

  async save(member: number): Promise<AdamState> {
    const [parameters, first, second] = FETCHES.state;
    return {
      parameters: await this.#read(member, parameters),
      first: await this.#read(member, first),
      second: await this.#read(member, second),
      steps: this.#member(member).steps,
      moments: 'means',
    };
  }

  restore(member: number, state: AdamState): void {
    const own = this.#member(member);
    const { parameters, first, second } = momentsAs('means', state);
    setState(own.session, [parameters, first, second]);
    own.steps = state.steps;
  }

  keepOnly(members: readonly number[]): void {
    const kept = members.map((member) => this.#member(member));
    for (const member of this.#members) if (!kept.includes(member)) member.session.dispose();
    this.#members = kept;
  }

  dispose(): void {
    for (const { session } of this.#members) session.dispose();
  }

  #member(at: number): GraphMember {
    return itemAt(this.#members, at);
  }

  #split(rows: tf.Tensor2D): tf.Tensor2D[] {
    const { length } = this.#members;
    return length === 1 ? [rows] : tf.split(rows, length, 0);
  }

  async #read(member: number, name: string): Promise<Float32Array> {
    const flat = this.#member(member).session.run({}, name);
    try {
      return await flat.data<'float32'>();
    } finally {
      flat.dispose();
    }
  }
}

/** Runs one training step. The function must run in a tidy. */
function step(member: GraphMember, input: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor2D {
  member.steps++;
  const { rate, epsilon } = correctedRate(member.settings.learningRate, member.steps);
  const numbers = tf.tensor1d([2 / input.size, rate, epsilon]);
  const feeds = { [FEEDS.input]: input, [FEEDS.target]: target, [FEEDS.numbers]: numbers };
  return member.session.run(feeds, FETCHES.losses) as tf.Tensor2D;
}

/**
 * Sets the parameters and the moments of a member. libtensorflow does not copy an array whose memory is aligned: a
 * variable then uses the array itself, and updates it in place. Each variable therefore gets its own copy, so that an
 * array that is passed twice or used later stays unchanged.
 */
function setState(session: NativeSession, state: readonly Float32Array[]): void {
  tf.tidy(() => {
    const feeds = state.map((values, part) => [itemAt(FEEDS.state, part), tf.tensor1d(values.slice())] as const);
    session.run(Object.fromEntries(feeds), FETCHES.restored);
  });
}

function itemAt<T>(items: readonly T[], at: number): T {
  const item = items[at];
  if (item === undefined) throw new Error(`the pack has no member ${at}`);
  return item;
}
