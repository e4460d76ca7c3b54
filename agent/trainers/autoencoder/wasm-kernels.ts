/**
 * The update of the parameters as one WebAssembly kernel: a step of Adam with the elastic net. TensorFlow.js needs 13
 * operations for this step, and each of them passes over all parameters. The kernel passes over the parameters once. It
 * computes the same float32 operations in the same order, except that it avoids denormal moments.
 */
import * as tf from '@tensorflow/tfjs-core';
import { BETA1, BETA2, rateOfSums } from './adam.ts';
import type { Settings } from './settings.ts';
import {
  type Code,
  FunctionCode,
  f32,
  f32x4,
  f64,
  f64x2,
  i32,
  i32x4,
  type Variable,
  v128,
  wasmModule,
  whileLoop,
} from './wasm-code.ts';

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** The part of the WebAssembly API that this file uses. TypeScript declares this API only for browsers. */
declare const WebAssembly: {
  readonly Memory: new (descriptor: { readonly initial: number; readonly maximum: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** The scalar inputs of an update. The moments are sums (see `Moments` in adam.ts). */
export interface UpdateNumbers {
  readonly weightDecay: number;
  /** The weight of the L1 term in the gradient. */
  readonly l1: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly rate: number;
  readonly epsilon: number;
}

/**
 * Returns the scalar inputs of a member's update.
 * @param steps the number of steps, including the current step
 */
export function updateNumbers(settings: Settings, steps: number): UpdateNumbers {
  const { weightDecay, lambdaL1, l1InGradient, learningRate } = settings;
  return {
    weightDecay,
    l1: l1InGradient ? lambdaL1 : 0,
    beta1: BETA1,
    beta2: BETA2,
    ...rateOfSums(learningRate, steps),
  };
}

/** The addresses of four arrays of float32 values in a WebAssembly memory. */
export interface UpdatedArrays {
  readonly parameters: number;
  readonly first: number;
  readonly second: number;
  readonly gradient: number;
  /** The number of values of each array. */
  readonly size: number;
}

/** Tensors of the same size. */
export interface UpdatedTensors {
  readonly parameters: tf.Tensor;
  readonly first: tf.Tensor;
  readonly second: tf.Tensor;
}

/** The arguments are addresses, followed by the scalar inputs of the update. */
type AdamFunction = (
  parameters: number,
  end: number,
  first: number,
  second: number,
  gradient: number,
  ...numbers: readonly [weightDecay: number, l1: number, beta1: number, beta2: number, rate: number, epsilon: number]
) => number;

const PAGE_BYTES = 65536;
const FLOAT_BYTES = 4;

/** Returns a new memory of at least this size, filled with zeros. */
export function newWasmMemory(bytes: number): WasmMemory {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

/** Compiled once per process, when the first kernel is created. */
let adamModule: object | undefined;

/** The kernel for arrays in one memory. */
export class AdamKernel {
  readonly #adam: AdamFunction;

  constructor(memory: WasmMemory) {
    adamModule ??= new WebAssembly.Module(wasmModule({ adam: adamCode() }));
    const { exports } = new WebAssembly.Instance(adamModule, { env: { memory } });
    this.#adam = exports.adam as AdamFunction;
  }

  /**
   * Updates the parameters and the moments in place: adds the gradient of the elastic net to the gradient, and takes a
   * step of Adam.
   * @returns sum|parameter| before the update
   */
  update({ parameters, first, second, gradient, size }: UpdatedArrays, numbers: UpdateNumbers): number {
    const { weightDecay, l1, beta1, beta2, rate, epsilon } = numbers;
    const end = parameters + FLOAT_BYTES * size;
    return this.#adam(parameters, end, first, second, gradient, weightDecay, l1, beta1, beta2, rate, epsilon);
  }
}

interface WasmBackend {
  readonly wasm: { readonly asm: { readonly memory: WasmMemory } };
  getMemoryOffset(dataId: object): number;
}

/** The kernel for tensors of the wasm backend. */
export class TensorAdamKernel {
  readonly #backend: WasmBackend;
  readonly #kernel: AdamKernel;

  /** @throws {Error} if the backend is not the wasm backend, or does not expose its memory */
  constructor() {
    const backend = tf.backend();
    if (!isWasmBackend(backend)) throw new Error('this backend has no WebAssembly memory');
    this.#backend = backend;
    this.#kernel = new AdamKernel(backend.wasm.asm.memory);
  }

  /** Does the same as {@link AdamKernel.update}. */
  update({ parameters, first, second }: UpdatedTensors, gradient: tf.Tensor, numbers: UpdateNumbers): number {
    const address = (tensor: tf.Tensor) => this.#backend.getMemoryOffset(tensor.dataId);
    const arrays = {
      parameters: address(parameters),
      first: address(first),
      second: address(second),
      gradient: address(gradient),
      size: parameters.size,
    };
    return this.#kernel.update(arrays, numbers);
  }
}

function isWasmBackend(backend: object): backend is WasmBackend {
  if (!('getMemoryOffset' in backend && 'wasm' in backend)) return false;
  const { wasm } = backend as { readonly wasm: { readonly asm?: { readonly memory?: unknown } } };
  return wasm.asm?.memory instanceof WebAssembly.Memory;
}

const VECTOR_BYTES = 16;
const SIGN_BIT = -0x80000000;
/**
 * First moments with a smaller magnitude become 0. Without this limit, the first moment of a weight whose gradient is 0
 * would decay to a denormal value and stay there: 0.9 * m rounds to m for m = 4 * 2^-149. Many processors compute with
 * denormal values more slowly, by a factor of 10 or more. The limit is far above 2^-126, the largest denormal magnitude,
 * so the product of a first moment and the learning rate is not denormal either. A first moment below the limit would
 * move a parameter by less than 1e-23 times the learning rate.
 */
const SMALLEST_FIRST_MOMENT = 2 ** -104;
/**
 * For the second moment, a gradient with a smaller magnitude counts as this value, so that neither its square nor the
 * second moment is denormal. If all gradients count as this value, the square root of the second moment is below 2^-57.
 * This is less than half a unit in the last place of epsilon, which is at least 1e-8.
 */
const SMALLEST_SQUARED_GRADIENT = 2 ** -62;

function adamCode(): FunctionCode {
  const code = new FunctionCode(['i32', 'i32', 'i32', 'i32', 'i32', 'f32', 'f32', 'f32', 'f32', 'f32', 'f32'], 'f64');
  const [parameters, end, first, second, gradient] = [0, 1, 2, 3, 4].map((at) => code.parameter(at)) as [
    Variable,
    Variable,
    Variable,
    Variable,
    Variable,
  ];
  const splat = (at: number): Code => f32x4.splat(code.parameter(at).get);
  const [weightDecay, l1, beta1, beta2, rate, epsilon] = [5, 6, 7, 8, 9, 10].map(splat) as [
    Code,
    Code,
    Code,
    Code,
    Code,
    Code,
  ];
  const sum = code.local('v128');
  const [p, m, v, g] = [code.local('v128'), code.local('v128'), code.local('v128'), code.local('v128')];

  // The constants are in local variables, because the loop is measurably slower if it contains them.
  const [signBit, smallestFirst, smallestSquared] = [code.local('v128'), code.local('v128'), code.local('v128')];
  const abs = (value: Code): Code => v128.andnot(value, signBit.get);

  const update = (bytes: number, load: (address: Code) => Code, store: (address: Code, value: Code) => Code): Code => {
    const magnitude = abs(p.get);
    const sign = v128.and(p.get, signBit.get);
    // 0 where the parameter is 0, otherwise l1 with the sign of the parameter.
    const l1Gradient = v128.and(f32x4.ne(p.get, f32x4.splat(f32.const(0))), v128.or(sign, l1));
    const move = f32x4.div(f32x4.mul(m.get, rate), f32x4.add(f32x4.sqrt(v.get), epsilon));
    return [
      p.set(load(parameters.get)),
      sum.set(f64x2.add(sum.get, f64x2.promote_low_f32x4(magnitude))),
      sum.set(f64x2.add(sum.get, f64x2.promote_low_f32x4(v128.upperHalf(magnitude)))),
      g.set(f32x4.add(f32x4.add(load(gradient.get), f32x4.mul(p.get, weightDecay)), l1Gradient)),
      m.set(f32x4.add(f32x4.mul(load(first.get), beta1), g.get)),
      // A NaN is not below the limit, and remains NaN.
      m.set(v128.andnot(m.get, f32x4.lt(abs(m.get), smallestFirst.get))),
      g.set(f32x4.pmax(abs(g.get), smallestSquared.get)),
      v.set(f32x4.add(f32x4.mul(load(second.get), beta2), f32x4.mul(g.get, g.get))),
      store(first.get, m.get),
      store(second.get, v.get),
      store(parameters.get, f32x4.sub(p.get, move)),
      ...[parameters, first, second, gradient].map((pointer) => pointer.set(i32.add(pointer.get, i32.const(bytes)))),
    ].flat();
  };
  code.append(
    signBit.set(i32x4.splat(i32.const(SIGN_BIT))),
    smallestFirst.set(f32x4.splat(f32.const(SMALLEST_FIRST_MOMENT))),
    smallestSquared.set(f32x4.splat(f32.const(SMALLEST_SQUARED_GRADIENT))),
    whileLoop(
      i32.le_u(i32.add(parameters.get, i32.const(VECTOR_BYTES)), end.get),
      update(VECTOR_BYTES, v128.load, v128.store),
    ),
    // The remaining values, one at a time. The other lanes are not stored, and their parameters are 0.
    whileLoop(i32.lt_u(parameters.get, end.get), update(FLOAT_BYTES, v128.load32_zero, v128.store32_lane0)),
    f64.add(f64x2.extract_lane(sum.get, 0), f64x2.extract_lane(sum.get, 1)),
  );
  return code;
}
