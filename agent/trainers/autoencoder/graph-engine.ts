/**
 * The engine for libtensorflow on the CPU. Each member has its own graph, in its own session. One call of tfjs-node's
 * addon computes the forward and backward passes of a step. A WebAssembly kernel then updates the parameters.
 */
import * as tf from '@tensorflow/tfjs-core';
import { TrainingError } from '../trainer.ts';
import { type AdamState, momentsAs } from './adam.ts';
import type { Engine, InitialMember } from './engine.ts';
import { NativeSession } from './libtensorflow.ts';
import { MemberMemory } from './member-memory.ts';
import { type Layer, type ParameterLayout, parameterLayout, ROW } from './model.ts';
import { networks } from './parameters.ts';
import { forward, outputOf } from './passes.ts';
import type { Settings } from './settings.ts';
import { FEEDS, FETCHES, parameterShapes, trainingGraph } from './training-graph.ts';
import { updateNumbers } from './wasm-kernels.ts';

interface GraphMember {
  readonly settings: Settings;
  readonly layers: readonly Layer[];
  readonly layout: ParameterLayout;
  readonly memory: MemberMemory;
  readonly session: NativeSession;
  /** The number of steps so far. */
  steps: number;
}

export class GraphEngine implements Engine {
  #members: readonly GraphMember[] = [];

  constructor(initial: readonly InitialMember[]) {
    try {
      for (const { settings, layers, parameters } of initial) {
        const layout = parameterLayout(layers);
        const memory = new MemberMemory(layout);
        const session = new NativeSession(trainingGraph(layers));
        this.#members = [...this.#members, { settings, layers, layout, memory, session, steps: 0 }];
        share(session, memory, parameterShapes(layers));
        memory.write('parameters', parameters);
        checkShared(session, memory);
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  async parametersOf(member: number): Promise<Float32Array> {
    return this.#member(member).memory.read('parameters');
  }

  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D {
    const { memory, layers, layout } = this.#member(member);
    const parameters = tf.tensor3d(memory.read('parameters'), [1, layout.rows, ROW]);
    const [network = []] = networks(parameters, layers, layout);
    return outputOf(forward(network, input)) as tf.Tensor2D;
  }

  step(input: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const inputs = this.#split(input);
      const targets = input === target ? inputs : this.#split(target);
      const losses = this.#members.map((member, at) => step(member, itemAt(inputs, at), itemAt(targets, at)));
      return tf.tensor2d(losses.flat(), [losses.length, 2]);
    });
  }

  async absoluteSums(): Promise<readonly number[]> {
    return this.#members.map(({ memory }) => memory.absoluteSum());
  }

  async save(member: number): Promise<AdamState> {
    const { memory, steps } = this.#member(member);
    return {
      parameters: memory.read('parameters'),
      first: memory.read('first'),
      second: memory.read('second'),
      steps,
      moments: 'sums',
    };
  }

  restore(member: number, state: AdamState): void {
    const own = this.#member(member);
    const { parameters, first, second } = momentsAs('sums', state);
    own.memory.write('parameters', parameters);
    own.memory.write('first', first);
    own.memory.write('second', second);
    own.steps = state.steps;
  }

  keepOnly(members: readonly number[]): void {
    const kept = members.map((member) => this.#member(member));
    for (const member of this.#members) if (!kept.includes(member)) member.session.dispose();
    this.#members = kept;
  }

  dispose(): void {
    for (const { session } of this.#members) session.dispose();
    this.#members = [];
  }

  #member(at: number): GraphMember {
    return itemAt(this.#members, at);
  }

  #split(rows: tf.Tensor2D): tf.Tensor2D[] {
    const { length } = this.#members;
    return length === 1 ? [rows] : tf.split(rows, length, 0);
  }
}

/**
 * Runs one training step. The function must be called within tf.tidy.
 * @returns the losses before the update: `[mse, l1]`
 */
function step(member: GraphMember, input: tf.Tensor2D, target: tf.Tensor2D): [number, number] {
  const { settings, session, memory } = member;
  const feeds = { [FEEDS.input]: input, [FEEDS.target]: target, [FEEDS.factor]: tf.scalar(2 / input.size) };
  const [mse = Number.NaN] = session.run(feeds, FETCHES.loss).dataSync();
  member.steps++;
  const absoluteSum = memory.update(updateNumbers(settings, member.steps));
  return [mse, settings.lambdaL1 === 0 ? 0 : settings.lambdaL1 * absoluteSum];
}

/**
 * Lets the variables of the session use the memory of the member. libtensorflow does not copy an array whose address is
 * aligned: a variable then uses the array itself.
 */
function share(session: NativeSession, memory: MemberMemory, shapes: readonly (readonly number[])[]): void {
  tf.tidy(() => {
    const tensor = (view: Float32Array, shape: readonly number[]) => tf.tensor(view, [...shape], 'float32');
    const feeds = shapes.flatMap((shape, i) => [
      [FEEDS.parameter(i), tensor(itemAt(memory.views('parameters'), i), shape)] as const,
      [FEEDS.gradient(i), tensor(itemAt(memory.views('gradient'), i), [1, ...shape])] as const,
    ]);
    session.run(Object.fromEntries(feeds), FETCHES.shared);
  });
}

/**
 * Checks that the session reads its parameters from the member's memory, and writes its gradients to the same memory.
 * @throws {TrainingError} `preflight` if this version of libtensorflow copied the memory
 */
function checkShared(session: NativeSession, memory: MemberMemory): void {
  session.run({}, FETCHES.copied).dispose();
  const [parameter, gradient] = [memory.views('parameters').at(-1), memory.views('gradient').at(-1)];
  if (parameter === undefined || !parameter.every((value, i) => value === gradient?.[i]))
    throw new TrainingError(
      'preflight',
      'this version of libtensorflow copies the memory of the trainer instead of sharing it; set up the pinned version ' +
        "with 'npm run setup:native', or set TRAWL_BACKEND=wasm in the agent's environment",
    );
}

function itemAt<T>(items: readonly T[], at: number): T {
  const item = items[at];
  if (item === undefined) throw new Error(`the pack has no member ${at}`);
  return item;
}
