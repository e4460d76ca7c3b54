/** The networks of one trial or a pack: their parameters, their optimizer, and the training step. */
import * as tf from '@tensorflow/tfjs-core';
import type { AdamState } from './adam.ts';
import { type Engine, gpuStrategy, type InitialMember, type Strategy } from './engine.ts';
import { GraphEngine } from './graph-engine.ts';
import { type ImageSource, rowsOfImages, type TrainImages, trainImages, withNoise } from './images.ts';
import { isOnGpu, nativeBackend } from './libtensorflow.ts';
import { initialParameters, type Layer, layersOf, PIXELS } from './model.ts';
import { PackEngine } from './pack-engine.ts';
import { normals, Random, STREAMS } from './random.ts';
import type { Settings } from './settings.ts';
import { TensorEngine } from './tensor-engine.ts';
import { WasmEngine } from './wasm-engine.ts';

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

/**
 * The number of training steps per call. For an engine with a loop, this is only the initial number. The trainer returns
 * to the event loop after each call, so that messages and requests to stop are handled. With 3 layers on WebAssembly,
 * this number of steps takes 30 to 60 ms.
 */
const STEPS_PER_CALL = 4;
/** For an engine with a loop, the number of steps per call is adjusted so that a call takes this time (see `adapt`). */
const CALL_MS = 50;
const MAX_STEPS_PER_CALL = 128;
/** The maximum size of the noise for one call. The noise is drawn in the memory of the host. */
const MAX_NOISE_BYTES = 64 * 2 ** 20;

export class Learner {
  private members: readonly LearnerMember[];
  private readonly engine: Engine;
  private images: TrainImages | undefined;
  private steps = STEPS_PER_CALL;

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
    this.engine = engineOf(strategy, initial);
  }

  get count(): number {
    return this.members.length;
  }

  /** Returns a member's layers, with the member's own latent dimension. */
  layersOf(member: number): readonly Layer[] {
    return this.member(member).layers;
  }

  /** Reads a member's parameters from the device, as Engine.parametersOf does. */
  parametersOf(member: number): Promise<Float32Array> {
    return this.engine.parametersOf(member);
  }

  /**
   * Returns a member's reconstruction of the images in `input`. Both have the shape `[pixels, images]`. The method must
   * be called within tf.tidy.
   */
  reconstruct(member: number, input: tf.Tensor2D): tf.Tensor2D {
    return this.engine.reconstruct(member, input);
  }

  /**
   * Trains one step. Each member has its own batch of clean images.
   * @param clean `[members * batch, pixels]`, member by member
   * @returns the losses before the update, `[members, 2]`, on the device: one row `[mse, l1]` per member, where l1 is
   *   lambda_l1 * sum|parameter|
   */
  step(clean: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => this.engine.step(this.noisy(clean), clean));
  }

  /** Uses the first `count` images of the file for {@link Learner.train}. On a GPU, copies the images to the device. */
  trainOn(file: ImageSource, count: number): void {
    if (this.engine.loop === undefined) {
      this.images = trainImages(file, count);
      return;
    }
    const rows = rowsOfImages(file, count);
    try {
      this.engine.loop.hold(rows);
    } finally {
      rows.dispose();
    }
  }

  /** The number of batches that should be passed to {@link Learner.train}, so that the call is short. */
  get stepsPerCall(): number {
    return this.steps;
  }

  /**
   * Trains one step per batch.
   * @param batches for each step, the indices of one batch per member, member by member; all batches have the same size
   * @returns the losses of each step: as {@link Learner.step} returns them or, for an engine with a loop, as arrays
   */
  train(batches: readonly Int32Array[]): readonly (tf.Tensor2D | Float32Array)[] {
    const { loop } = this.engine;
    if (loop !== undefined) {
      const start = performance.now();
      const losses = loop.train(batches, this.noises(batches));
      this.adapt(batches, performance.now() - start);
      return losses;
    }
    const { images } = this;
    if (images === undefined) throw new Error('the learner has no training images');
    return batches.map((batch) => tf.tidy(() => this.step(images.pick(batch))));
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
    this.images?.dispose();
    this.engine.dispose();
  }

  /** Multiplies or divides the number of steps per call by at most 2, so that the next call takes about CALL_MS. */
  private adapt(batches: readonly Int32Array[], elapsedMs: number): void {
    if (batches.length < this.steps) return;
    const factor = Math.max(0.5, Math.min(2, CALL_MS / elapsedMs));
    const hasNoise = this.members.some(({ settings }) => settings.noiseStd > 0);
    const noiseBytes = hasNoise ? (batches[0]?.length ?? 0) * PIXELS * 4 : 0;
    const most = Math.min(MAX_STEPS_PER_CALL, Math.floor(MAX_NOISE_BYTES / noiseBytes));
    this.steps = Math.max(1, Math.min(most, Math.round(this.steps * factor)));
  }

  /** Draws the noise of the steps; undefined if no member has noise. */
  private noises(batches: readonly Int32Array[]): readonly Float32Array[] | undefined {
    if (this.members.every(({ settings }) => settings.noiseStd === 0)) return undefined;
    return batches.map((batch) => {
      const each = (batch.length / this.count) * PIXELS;
      const drawn = new Float32Array(each * this.count);
      for (const [at, { settings, noise }] of this.members.entries())
        if (settings.noiseStd > 0) drawn.set(normals(each, settings.noiseStd, noise), at * each);
      return drawn;
    });
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

function engineOf(strategy: Strategy, initial: readonly InitialMember[]): Engine {
  switch (strategy) {
    case 'graphs':
      return new GraphEngine(initial);
    case 'pack-graph':
      return new PackEngine(initial, isOnGpu() ? 'GPU:0' : 'CPU:0');
    case 'stacked':
      return new TensorEngine(initial);
    case 'in-turn':
      return new WasmEngine(initial);
  }
}

/**
 * Returns the strategy for the backend. On wasm, a matrix product with a batch dimension is slow. On a GPU, one large
 * product is faster than many small products.
 */
function defaultStrategy(): Strategy {
  if (nativeBackend() === undefined) return tf.getBackend() === 'wasm' ? 'in-turn' : 'stacked';
  return isOnGpu() ? gpuStrategy(process.env) : 'graphs';
}
