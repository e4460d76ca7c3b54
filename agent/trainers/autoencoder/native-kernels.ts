/** Operations of libtensorflow that TensorFlow.js 4.22 has no function for, one where TensorFlow.js takes several. */
import type * as tf from '@tensorflow/tfjs-core';
import { type Attribute, type NativeBackend, nativeBackend } from './native-backend.ts';

/** Undefined where another backend than libtensorflow is set. */
export function nativeKernels(): NativeKernels | undefined {
  const backend = nativeBackend();
  return backend === undefined ? undefined : new NativeKernels(backend);
}

export class NativeKernels {
  readonly #backend: NativeBackend;

  constructor(backend: NativeBackend) {
    this.#backend = backend;
  }

  /** `delta` where a ReLU's `output` is positive, else 0. */
  reluGradient<T extends tf.Tensor>(delta: T, output: T): T {
    return this.#run('ReluGrad', [delta, output]) as T;
  }

  /** `delta` through a tanh of that `output`: delta * (1 - output^2). */
  tanhGradient<T extends tf.Tensor>(delta: T, output: T): T {
    return this.#run('TanhGrad', [output, delta]) as T;
  }

  #run(name: string, inputs: readonly tf.Tensor[]): tf.Tensor {
    const [info] = this.#backend.binding.executeOp(name, [this.#type('T')], this.#backend.getInputTensorIds(inputs), 1);
    if (info === undefined) throw new Error(`${name} gave nothing`);
    return this.#backend.createOutputTensor(info);
  }

  #type(name: string): Attribute {
    const { TF_ATTR_TYPE, TF_FLOAT } = this.#backend.binding;
    return { name, type: TF_ATTR_TYPE, value: TF_FLOAT };
  }
}
