/**
 * The engine for libtensorflow on a GPU: one graph in one session contains all members. The graph also runs on a CPU.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type AdamState, correctedRate, momentsAs } from './adam.ts';
import type { Engine, InitialMember, StepLoop } from './engine.ts';
import { NativeSession } from './libtensorflow.ts';
import { type Layer, PIXELS, parameterLayout, ROW } from './model.ts';
import { PACK_FEEDS, PACK_FETCHES, packGraph } from './pack-graph.ts';
import { type LayerTensors, networks, padded, unpadded } from './parameters.ts';
import { forward, outputOf } from './passes.ts';
import type { Settings } from './settings.ts';

/** The device of a graph. */
export type GraphDevice = 'CPU:0' | 'GPU:0';

interface SlotMember {
  readonly settings: Settings;
  readonly layers: readonly Layer[];
  /** The number of steps so far. */
  steps: number;
}

/**
 * When a member leaves the pack, its place stays in the graph until at least half of the places are free, because a
 * smaller graph needs a new session. The graph continues to train the free places, but their results are ignored.
 */
export class PackEngine implements Engine, StepLoop {
  readonly loop = this;
  readonly #device: GraphDevice;
  readonly #noise: boolean;
  readonly #layers: readonly Layer[];
  #session: NativeSession;
  /** All places of the graph. */
  #places: readonly SlotMember[];
  /** For each member, the index of its place. */
  #members: readonly number[];
  #sameRates: boolean;
  #images: tf.Tensor2D | undefined;
  /** The parameters of the member that was evaluated last, as tensors. They are disposed before the next step. */
  #evaluated: { readonly place: number; readonly network: readonly LayerTensors[] } | undefined;

  constructor(initial: readonly InitialMember[], device: GraphDevice) {
    this.#device = device;
    this.#noise = initial.some(({ settings }) => settings.noiseStd > 0);
    this.#layers = initial.reduce((widest, member) =>
      member.settings.latentDim > widest.settings.latentDim ? member : widest,
    ).layers;
    this.#places = initial.map(({ settings, layers }) => ({ settings, layers, steps: 0 }));
    this.#members = initial.map((_, at) => at);
    this.#sameRates = this.#hasSameRates();
    this.#session = this.#open();
    try {
      for (const [at, { parameters }] of initial.entries()) {
        const zeros = new Float32Array(parameters.length);
        this.restore(at, { parameters, first: zeros, second: zeros, steps: 0, moments: 'means' });
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  async parametersOf(member: number): Promise<Float32Array> {
    return this.#read(this.#placeOf(member), PACK_FETCHES.state[0]);
  }

  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D {
    return outputOf(forward(this.#networkOf(this.#placeOf(member)), input)) as tf.Tensor2D;
  }

  step(input: tf.Tensor2D, target: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const batch = input.shape[0] / this.#members.length;
      const numbers = this.#numbers(1, batch);
      const everywhere = (rows: tf.Tensor2D) => this.#spread(rows, batch);
      const feeds = {
        [PACK_FEEDS.input]: everywhere(input),
        [PACK_FEEDS.target]: everywhere(target),
        [PACK_FEEDS.numbers]: numbers,
      };
      const losses = this.#session.run(feeds, PACK_FETCHES.losses).dataSync<'float32'>();
      return tf.tensor2d(this.#ofMembers(losses, 2), [this.#members.length, 2]);
    });
  }

  hold(images: tf.Tensor2D): void {
    this.#images?.dispose();
    this.#images = tf.keep(images.clone());
    this.#session.run({ [PACK_FEEDS.images]: images }, PACK_FETCHES.held).dispose();
  }

  train(batches: readonly Int32Array[], noise: readonly Float32Array[] | undefined): readonly Float32Array[] {
    const perStep = batches[0]?.length ?? 0;
    const batch = perStep / this.#members.length;
    const losses = tf.tidy(() => {
      const places = this.#places.length;
      const indices = new Int32Array(batches.length * places * batch);
      for (const [step, own] of batches.entries()) this.#copy(own, indices, step, batch);
      const feeds: Record<string, tf.Tensor> = {
        [PACK_FEEDS.indices]: tf.tensor2d(indices, [batches.length, places * batch], 'int32'),
        [PACK_FEEDS.numbers]: this.#numbers(batches.length, batch),
      };
      if (this.#noise) {
        const values = new Float32Array(batches.length * places * batch * PIXELS);
        for (const [step, own] of (noise ?? []).entries()) this.#copy(own, values, step, batch * PIXELS);
        feeds[PACK_FEEDS.noise] = tf.tensor3d(values, [batches.length, places * batch, PIXELS]);
      }
      return this.#session.run(feeds, PACK_FETCHES.lossesOfSteps).dataSync<'float32'>();
    });
    const size = this.#places.length * 2;
    return batches.map((_, step) => this.#ofMembers(losses.subarray(step * size, (step + 1) * size), 2));
  }

  async absoluteSums(): Promise<readonly number[]> {
    const sums = tf.tidy(() => this.#session.run({}, PACK_FETCHES.absoluteSums).dataSync<'float32'>());
    return [...this.#ofMembers(sums, 1)];
  }

  async save(member: number): Promise<AdamState> {
    const place = this.#placeOf(member);
    const [parameters, first, second] = PACK_FETCHES.state;
    return {
      parameters: this.#read(place, parameters),
      first: this.#read(place, first),
      second: this.#read(place, second),
      steps: this.#place(place).steps,
      moments: 'means',
    };
  }

  restore(member: number, state: AdamState): void {
    const place = this.#placeOf(member);
    this.#place(place).steps = state.steps;
    this.#write(place, state);
  }

  keepOnly(members: readonly number[]): void {
    this.#forget();
    const kept = members.map((member) => this.#placeOf(member));
    this.#members = kept;
    if (kept.length > this.#places.length / 2) return;
    this.#reopen(kept);
    this.#places = kept.map((place) => this.#place(place));
    this.#members = kept.map((_, at) => at);
  }

  dispose(): void {
    this.#forget();
    this.#images?.dispose();
    this.#session.dispose();
  }

  #hasSameRates(): boolean {
    const [first] = this.#places;
    return this.#places.every(
      ({ settings, steps }) => settings.learningRate === first?.settings.learningRate && steps === first.steps,
    );
  }

  #open(places = this.#places): NativeSession {
    const session = new NativeSession(
      packGraph({
        layers: this.#layers,
        members: places.map(({ settings }) => settings),
        sameRates: this.#sameRates,
        noise: this.#noise,
        device: this.#device,
      }),
    );
    try {
      session.run({}, PACK_FETCHES.initialized).dispose();
    } catch (error) {
      session.dispose();
      throw error;
    }
    return session;
  }

  /** Moves the states of the given places to a new session, in the given order. */
  #reopen(kept: readonly number[]): void {
    const states = kept.map((place) => this.#stateOf(place));
    this.#session.dispose();
    this.#session = this.#open(kept.map((place) => this.#place(place)));
    for (const [at, state] of states.entries()) this.#assign(at, state);
    if (this.#images) this.#session.run({ [PACK_FEEDS.images]: this.#images }, PACK_FETCHES.held).dispose();
  }

  /** Returns the state of a place in the layout of the graph. */
  #stateOf(place: number): readonly Float32Array[] {
    return PACK_FETCHES.state.map((name) => this.#readWide(place, name));
  }

  #write(place: number, state: AdamState): void {
    this.#forget();
    const { layers } = this.#place(place);
    const { parameters, first, second } = momentsAs('means', state);
    this.#assign(
      place,
      [parameters, first, second].map((values) => padded(values, layers, this.#layers)),
    );
  }

  #assign(place: number, state: readonly Float32Array[]): void {
    tf.tidy(() => {
      const { rows } = parameterLayout(this.#layers);
      const feeds: Record<string, tf.Tensor> = { [PACK_FEEDS.member]: tf.tensor1d([place], 'int32') };
      for (const [part, name] of PACK_FEEDS.state.entries())
        feeds[name] = tf.tensor3d(state[part] ?? new Float32Array(), [1, rows, ROW]);
      this.#session.run(feeds, PACK_FETCHES.restored);
    });
  }

  #read(place: number, name: string): Float32Array {
    return unpadded(this.#readWide(place, name), this.#place(place).layers, this.#layers);
  }

  #readWide(place: number, name: string): Float32Array {
    return tf.tidy(() => this.#fetch(place, name).dataSync<'float32'>());
  }

  #fetch(place: number, name: string): tf.Tensor {
    return this.#session.run({ [PACK_FEEDS.member]: tf.tensor1d([place], 'int32') }, name);
  }

  /**
   * Returns the network of a place as tensors, and keeps the tensors for the next chunk of images. Must be called
   * within tf.tidy.
   */
  #networkOf(place: number): readonly LayerTensors[] {
    if (this.#evaluated?.place !== place) {
      this.#forget();
      const flat = this.#fetch(place, PACK_FETCHES.state[0]) as tf.Tensor3D;
      const [network = []] = networks(flat, this.#layers, parameterLayout(this.#layers));
      for (const { weight, bias } of network) for (const tensor of [weight, bias]) tf.keep(tensor);
      this.#evaluated = { place, network };
    }
    return this.#evaluated?.network ?? [];
  }

  #forget(): void {
    if (this.#evaluated) tf.dispose(this.#evaluated.network.flatMap(({ weight, bias }) => [weight, bias]));
    this.#evaluated = undefined;
  }

  /**
   * Adds `steps` to the step counts of all places, and returns the input `PACK_FEEDS.numbers` for these steps. Must be
   * called before the steps are run.
   */
  #numbers(steps: number, batch: number): tf.Tensor3D {
    this.#forget();
    if (this.#sameRates !== this.#hasSameRates()) {
      this.#sameRates = !this.#sameRates;
      this.#reopen(this.#places.map((_, at) => at));
    }
    const count = this.#places.length;
    const numbers = new Float32Array(steps * 3 * count);
    for (let step = 0; step < steps; step++) {
      for (const [place, member] of this.#places.entries()) {
        member.steps++;
        const { rate, epsilon } = correctedRate(member.settings.learningRate, member.steps);
        const at = step * 3 * count + place;
        numbers[at] = 2 / (PIXELS * batch);
        numbers[at + count] = rate;
        numbers[at + 2 * count] = epsilon;
      }
    }
    return tf.tensor3d(numbers, [steps, 3, count]);
  }

  /** Copies the values of one step, which are in the order of the members, to the places of the members. */
  #copy(from: Int32Array | Float32Array, to: Int32Array | Float32Array, step: number, size: number): void {
    for (const [member, place] of this.#members.entries())
      to.set(from.subarray(member * size, (member + 1) * size), (step * this.#places.length + place) * size);
  }

  /** Does the same as {@link PackEngine.#copy} for the rows of a tensor. */
  #spread(rows: tf.Tensor2D, batch: number): tf.Tensor2D {
    if (this.#members.length === this.#places.length) return rows;
    const zeros: tf.Tensor2D = tf.zeros([batch, PIXELS]);
    const each: tf.Tensor2D[] = tf.split(rows, this.#members.length, 0);
    return tf.concat2d(
      this.#places.map((_, place) => each[this.#members.indexOf(place)] ?? zeros),
      0,
    );
  }

  /** Returns the values of the members, in the order of the members, from an array with `size` values per place. */
  #ofMembers(values: Float32Array, size: number): Float32Array {
    const own = new Float32Array(this.#members.length * size);
    for (const [member, place] of this.#members.entries())
      own.set(values.subarray(place * size, (place + 1) * size), member * size);
    return own;
  }

  #placeOf(member: number): number {
    const place = this.#members[member];
    if (place === undefined) throw new Error(`the pack has no member ${member}`);
    return place;
  }

  #place(place: number): SlotMember {
    const member = this.#places[place];
    if (member === undefined) throw new Error(`the pack has no place ${place}`);
    return member;
  }
}
