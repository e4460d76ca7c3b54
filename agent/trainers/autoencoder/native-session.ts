/** A graph in a session of libtensorflow's, with the variables that it keeps; run through tfjs-node's binding. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import { GRAPH_TAG, GraphText } from './graph-text.ts';
import { type NativeBackend, nativeBackend } from './native-backend.ts';

export class NativeSession {
  readonly #backend: NativeBackend;
  readonly #id: number;

  /** @param graph the text of a SavedModel; where libtensorflow is the backend */
  constructor(graph: string) {
    const backend = nativeBackend();
    if (backend === undefined) throw new Error('a session needs libtensorflow');
    this.#backend = backend;
    // The binding takes a graph from a folder only.
    const folder = mkdtempSync(join(tmpdir(), 'trawl-graph-'));
    try {
      writeFileSync(join(folder, 'saved_model.pbtxt'), graph);
      this.#id = backend.binding.loadSavedModel(folder, GRAPH_TAG);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /**
   * @param feeds tensors by the names of the placeholders
   * @param fetch the name of a node
   * @returns its first output, which the caller owns
   */
  run(feeds: Readonly<Record<string, tf.Tensor>>, fetch: string): tf.Tensor {
    const { binding } = this.#backend;
    const ids = this.#backend.getInputTensorIds(Object.values(feeds));
    const [info] = binding.runSavedModel(this.#id, ids, Object.keys(feeds).map(output).join(','), output(fetch));
    if (info === undefined) throw new Error(`${fetch} gave nothing`);
    return this.#backend.createOutputTensor(info);
  }

  /** The variables go with it. */
  dispose(): void {
    this.#backend.binding.deleteSavedModel(this.#id);
  }
}

/**
 * At a process's first session libtensorflow 2.18 writes two lines to stderr, whatever TF_CPP_MIN_LOG_LEVEL says. A
 * worker has it before its first trial, so that they stand in no trial's log.
 */
export function openFirstSession(): void {
  if (nativeBackend()?.isUsingGpuDevice !== false) return;
  const graph = new GraphText();
  graph.number(0);
  new NativeSession(graph.toString()).dispose();
}

function output(node: string): string {
  return `${node}:0`;
}
