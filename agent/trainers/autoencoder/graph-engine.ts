/** On the CPU with libtensorflow: each member is a graph in a session, and a step of it one call of the binding. */
import * as tf from '@tensorflow/tfjs-core';
import { type AdamState, BETA1, BETA2, EPSILON, momentsAs } from './adam-rule.ts';
import type { Beginning, Engine } from './engine.ts';
import { type Layer, type Layout, layoutOf } from './model.ts';
import { NativeSession } from './native-session.ts';
import { networks } from './parameters.ts';
import { forward, outputOf } from './passes.ts';
import type { Settings } from './settings.ts';
import { FEEDS, FETCHES, trainingGraph } from './training-graph.ts';

/** The kernel's own betas: its 1 - b2 is off by 1e-5 of it, and the corrections have to be of the same numbers. */
const [BETA1F, BETA2F] = [Math.fround(BETA1), Math.fround(BETA2)];

interface Member {
  readonly settings: Settings;
  readonly layers: readonly Layer[];
  readonly layout: Layout;
  readonly session: NativeSession;
  /** Steps taken so far. */
  steps: number;
}

export class GraphEngine implements Engine {
  #members: readonly Member[];

  constructor(beginnings: readonly Beginning[]) {
    this.#members = beginnings.map(({ settings, layers, parameters }) => {
      const layout = layoutOf(layers);
      const session = new NativeSession(trainingGraph(layers, settings));
      const zeros = new Float32Array(parameters.length);
      put(session, [parameters, zeros, zeros]);
      return { settings, layers, layout, session, steps: 0 };
    });
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
      const inputs = this.#cut(input);
      const targets = input === target ? inputs : this.#cut(target);
      const losses = this.#members.map((member, at) => step(member, partOf(inputs, at), partOf(targets, at)));
      return losses.length === 1 ? partOf(losses, 0) : tf.concat2d(losses, 0);
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
    put(own.session, [parameters, first, second]);
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

  #member(at: number): Member {
    return partOf(this.#members, at);
  }

  #cut(rows: tf.Tensor2D): tf.Tensor2D[] {
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

/** Within a tidy. */
function step(member: Member, input: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor2D {
  member.steps++;
  const unbiased2 = Math.sqrt(1 - BETA2F ** member.steps);
  const rate = (member.settings.learningRate * unbiased2) / (1 - BETA1F ** member.steps);
  const numbers = tf.tensor1d([2 / input.size, rate, EPSILON * unbiased2]);
  const feeds = { [FEEDS.input]: input, [FEEDS.target]: target, [FEEDS.numbers]: numbers };
  return member.session.run(feeds, FETCHES.losses) as tf.Tensor2D;
}

function put(session: NativeSession, state: readonly Float32Array[]): void {
  tf.tidy(() => {
    const feeds = state.map((values, part) => [partOf(FEEDS.state, part), tf.tensor1d(values)] as const);
    session.run(Object.fromEntries(feeds), FETCHES.restored);
  });
}

function partOf<T>(items: readonly T[], at: number): T {
  const item = items[at];
  if (item === undefined) throw new Error(`the pack has no member ${at}`);
  return item;
}
