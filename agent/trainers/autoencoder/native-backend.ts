/** What is used of tfjs-node's backend beyond what TensorFlow.js says of one. */
import * as tf from '@tensorflow/tfjs-core';

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

/** Of the addon; tensors go by ids, names of a graph's nodes are joined by commas. */
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
  /** TensorFlow.js's tensor of an output; within a tidy it is disposed with the others. */
  createOutputTensor(info: OutputInfo): tf.Tensor;
}

/** Undefined where another backend than libtensorflow is set. */
export function nativeBackend(): NativeBackend | undefined {
  const backend = tf.backend();
  return isNative(backend) ? backend : undefined;
}

function isNative(backend: object): backend is NativeBackend {
  return 'binding' in backend && 'getInputTensorIds' in backend && 'createOutputTensor' in backend;
}
