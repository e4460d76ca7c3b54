/**
 * Operations of libtensorflow that TensorFlow.js 4.22 has no function for, called through tfjs-node's binding: one where
 * TensorFlow.js takes six, and one pass over the parameters where it takes ten.
 */
import * as tf from '@tensorflow/tfjs-core';

interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

interface OutputInfo {
  readonly id: number;
  readonly dtype: number;
  readonly shape: number[];
}

interface Binding {
  readonly TF_FLOAT: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_SHAPE: number;
  executeOp(name: string, attributes: readonly Attribute[], inputs: readonly number[], outputs: number): OutputInfo[];
  deleteTensor(id: number): void;
}

interface NodeBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  getInputTensorIds(tensors: readonly tf.Tensor[]): number[];
  createOutputTensor(info: OutputInfo): tf.Tensor;
}

/** Undefined where another backend than libtensorflow is set. */
export function nativeKernels(): NativeKernels | undefined {
  const backend = tf.backend();
  return isNodeBackend(backend) ? new NativeKernels(backend) : undefined;
}

/** Numbers of one step of Adam; libtensorflow's formula is `p -= rate * m / (sqrt(v) + epsilon)`. */
export interface AdamNumbers {
  /** With the corrections of both moments in it. */
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export class NativeKernels {
  readonly #backend: NodeBackend;

  constructor(backend: NodeBackend) {
    this.#backend = backend;
  }

  get onGpu(): boolean {
    return this.#backend.isUsingGpuDevice;
  }

  /** `delta` where a ReLU's `output` is positive, else 0. */
  reluGradient<T extends tf.Tensor>(delta: T, output: T): T {
    return this.#run('ReluGrad', [delta, output]) as T;
  }

  /** `delta` through a tanh of that `output`: delta * (1 - output^2). */
  tanhGradient<T extends tf.Tensor>(delta: T, output: T): T {
    return this.#run('TanhGrad', [output, delta]) as T;
  }

  /** A place for {@link adam} to work in, until it is released; of values in that shape. */
  place(shape: readonly number[]): number {
    const { binding } = this.#backend;
    // Without a shared name two variables are two even where their other attributes agree.
    const attributes = [
      this.#type('dtype'),
      { name: 'shape', type: binding.TF_ATTR_SHAPE, value: shape },
      { name: 'shared_name', type: binding.TF_ATTR_STRING, value: `trawl-${nextPlace++}` },
    ];
    const [handle] = binding.executeOp('VarHandleOp', attributes, [], 1);
    if (handle === undefined) throw new Error('VarHandleOp gave no variable');
    return handle.id;
  }

  release(place: number): void {
    this.#backend.binding.executeOp('DestroyResourceOp', [], [place], 0);
    this.#backend.binding.deleteTensor(place);
  }

  /**
   * One step of Adam, in place where nothing else holds the values.
   * @param places three
   * @param state parameters, first and second moment; disposed here
   * @returns their successors
   */
  adam<T extends tf.Tensor>(
    places: readonly number[],
    state: readonly T[],
    gradient: T,
    { rate, beta1, beta2, epsilon }: AdamNumbers,
  ): T[] {
    const { binding } = this.#backend;
    const type = [this.#type('dtype')];
    for (const [at, tensor] of state.entries()) {
      const [id = -1] = this.#backend.getInputTensorIds([tensor]);
      binding.executeOp('AssignVariableOp', type, [places[at] ?? -1, id], 0);
      // The variable holds the values alone from here on, so that they are updated where they lie.
      tensor.dispose();
    }
    // No power of a beta: what they correct is in the rate already, in double precision.
    const numbers = [0, 0, rate, beta1, beta2, epsilon].map((value) => tf.scalar(value));
    const inputs = this.#backend.getInputTensorIds([...numbers, gradient]);
    binding.executeOp('ResourceApplyAdam', [this.#type('T')], [...places, ...inputs], 0);
    tf.dispose(numbers);
    return places.map((place) => {
      const [info] = binding.executeOp('ReadVariableOp', type, [place], 1);
      if (info === undefined) throw new Error('ReadVariableOp gave nothing');
      return this.#backend.createOutputTensor(info) as T;
    });
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

let nextPlace = 0;

function isNodeBackend(backend: object): backend is NodeBackend {
  return 'binding' in backend && 'getInputTensorIds' in backend && 'createOutputTensor' in backend;
}
