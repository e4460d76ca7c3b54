/** Calls libtensorflow directly through tfjs-node's addon, for kernels and graph sessions that TensorFlow.js lacks. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { GRAPH_TAG, GraphText } from './graph-text.ts';

export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

interface OutputInfo {
  readonly id: number;
  readonly dtype: number;
  readonly shape: number[];
}

/** The functions identify tensors by ids. Several node names are passed as one text, joined by commas. */
interface Binding {
  readonly TF_FLOAT: number;
  readonly TF_ATTR_TYPE: number;
  executeOp(name: string, attributes: readonly Attribute[], inputs: readonly number[], outputs: number): OutputInfo[];
  /** @returns an id */
  loadSavedModel(folder: string, tags: string): number;
  runSavedModel(id: number, inputs: readonly number[], inputNames: string, outputNames: string): OutputInfo[];
  deleteSavedModel(id: number): void;
}

export interface NativeBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  getInputTensorIds(tensors: readonly tf.Tensor[]): number[];
  /** Returns an output as a TensorFlow.js tensor, which the enclosing tidy disposes. */
  createOutputTensor(info: OutputInfo): tf.Tensor;
}

/** Returns the backend of tfjs-node; undefined if another backend is in use. */
export function nativeBackend(): NativeBackend | undefined {
  const backend = tf.backend();
  return isNative(backend) ? backend : undefined;
}

/** Returns whether libtensorflow computes on a GPU. */
export function isOnGpu(): boolean {
  return nativeBackend()?.isUsingGpuDevice === true;
}

function isNative(backend: object): backend is NativeBackend {
  return 'binding' in backend && 'getInputTensorIds' in backend && 'createOutputTensor' in backend;
}

/** Returns libtensorflow's kernels; undefined if another backend is in use. */
export function nativeKernels(): NativeKernels | undefined {
  const backend = nativeBackend();
  return backend === undefined ? undefined : new NativeKernels(backend);
}

/** Kernels for which TensorFlow.js 4.22 has no function. Each kernel replaces several TensorFlow.js operations. */
export class NativeKernels {
  readonly #backend: NativeBackend;

  constructor(backend: NativeBackend) {
    this.#backend = backend;
  }

  /** Returns `delta` where the ReLU's `output` is positive, and 0 elsewhere. */
  reluGradient<T extends tf.Tensor>(delta: T, output: T): T {
    return this.#run('ReluGrad', [delta, output]) as T;
  }

  /** Returns the gradient of a tanh with this `output`: delta * (1 - output^2). */
  tanhGradient<T extends tf.Tensor>(delta: T, output: T): T {
    return this.#run('TanhGrad', [output, delta]) as T;
  }

  #run(name: string, inputs: readonly tf.Tensor[]): tf.Tensor {
    const [info] = this.#backend.binding.executeOp(name, [this.#type('T')], this.#backend.getInputTensorIds(inputs), 1);
    if (info === undefined) throw new Error(`${name} returned no output`);
    return this.#backend.createOutputTensor(info);
  }

  #type(name: string): Attribute {
    const { TF_ATTR_TYPE, TF_FLOAT } = this.#backend.binding;
    return { name, type: TF_ATTR_TYPE, value: TF_FLOAT };
  }
}

/** A session that runs a graph and holds the graph's variables. */
export class NativeSession {
  readonly #backend: NativeBackend;
  readonly #id: number;
  #isDeleted = false;

  /**
   * @param graph the text of a SavedModel
   * @throws {Error} when libtensorflow is not the backend
   */
  constructor(graph: string) {
    const backend = nativeBackend();
    if (backend === undefined) throw new Error('a graph session requires libtensorflow');
    this.#backend = backend;
    // The addon can load a graph only from a folder.
    const folder = mkdtempSync(join(tmpdir(), 'trawl-graph-'));
    try {
      writeFileSync(join(folder, 'saved_model.pbtxt'), graph);
      this.#id = backend.binding.loadSavedModel(folder, GRAPH_TAG);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /**
   * @param feeds tensors by placeholder name
   * @param fetch the name of a node
   * @returns the first output of the node, in the memory of the host; the caller owns the tensor
   */
  run(feeds: Readonly<Record<string, tf.Tensor>>, fetch: string): tf.Tensor {
    const { binding } = this.#backend;
    const ids = this.#backend.getInputTensorIds(Object.values(feeds));
    const [info] = binding.runSavedModel(
      this.#id,
      ids,
      Object.keys(feeds).map(firstOutput).join(','),
      firstOutput(fetch),
    );
    if (info === undefined) throw new Error(`${fetch} returned no output`);
    return this.#backend.createOutputTensor(info);
  }

  /** Deletes the session and its variables. A repeated call does nothing. */
  dispose(): void {
    if (this.#isDeleted) return;
    this.#isDeleted = true;
    this.#backend.binding.deleteSavedModel(this.#id);
  }
}

/**
 * Opens and closes a session. When a process opens its first session, libtensorflow 2.18 writes two
 * lines to stderr, regardless of TF_CPP_MIN_LOG_LEVEL. A worker calls this function before its first trial, so that the
 * lines appear in no trial's log.
 */
export function openFirstSession(): void {
  if (nativeBackend() === undefined) return;
  const graph = new GraphText();
  graph.number(0);
  new NativeSession(graph.toString()).dispose();
}

function firstOutput(node: string): string {
  return `${node}:0`;
}
