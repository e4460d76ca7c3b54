/**
 * Adam with an elastic net. The parameters of all members of a pack are in one tensor. A step therefore takes a dozen
 * operations, regardless of the depth of the networks and the number of members.
 */
import * as tf from '@tensorflow/tfjs-core';
import { nativeKernels } from './libtensorflow.ts';

export const BETA1 = 0.9;
export const BETA2 = 0.999;
const EPSILON = 1e-8;

/**
 * The scaling of the moments. `means` are exponential moving averages, as in the paper. `sums` are these averages
 * divided by 1 - b1 (first moment) or 1 - b2 (second moment), that is, exponentially weighted sums. A restored state is
 * bitwise exact only if it was saved with the scaling that the restoring optimizer uses.
 */
export type Moments = 'means' | 'sums';

/** The state that determines a member's next step. The values are flat `[rows, ROW]` matrices. */
export interface AdamState {
  readonly parameters: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** The scaling of both moments of the state. */
  readonly moments: Moments;
  /** The number of steps so far. */
  readonly steps: number;
}

/** Returns the state with its moments converted to the given scaling. */
export function momentsAs(moments: Moments, state: AdamState): AdamState {
  if (moments === state.moments) return state;
  const rescale = (values: Float32Array, factor: number) =>
    values.map(moments === 'means' ? (sum) => sum * factor : (mean) => mean / factor);
  return {
    ...state,
    moments,
    first: rescale(state.first, 1 - BETA1),
    second: rescale(state.second, 1 - BETA2),
  };
}

/**
 * The betas in float32. The kernels of libtensorflow use these values, so the bias corrections must use them too. (The
 * float32 value and the float64 value of 1 - b2 differ by a factor of about 1.00001.)
 */
const [BETA1F, BETA2F] = [Math.fround(BETA1), Math.fround(BETA2)];

/**
 * Returns the rate and the epsilon of the step `p -= rate * m / (sqrt(v) + epsilon)`, in which the moments m and v are
 * means. The rate and the epsilon include the bias corrections.
 * @param steps the number of steps, including the current step
 */
export function correctedRate(
  learningRate: number,
  steps: number,
): { readonly rate: number; readonly epsilon: number } {
  const unbiased2 = Math.sqrt(1 - BETA2F ** steps);
  return { rate: (learningRate * unbiased2) / (1 - BETA1F ** steps), epsilon: EPSILON * unbiased2 };
}

/** Does the same as {@link correctedRate} for moments that are sums. */
export function rateOfSums(learningRate: number, steps: number): { readonly rate: number; readonly epsilon: number } {
  const unbiased2 = Math.sqrt((1 - BETA2) / (1 - BETA2 ** steps));
  return {
    rate: (learningRate * (1 - BETA1)) / (1 - BETA1 ** steps) / unbiased2,
    epsilon: EPSILON / unbiased2,
  };
}

/** The tensors have the shape `[members, rows, ROW]`. */
type AdamValues = {
  readonly parameters: tf.Tensor3D;
  readonly first: tf.Tensor3D;
  readonly second: tf.Tensor3D;
};

interface MemberStep {
  readonly learningRate: number;
  /** The number of steps, including the current step. */
  readonly steps: number;
}

export interface OptimizerSettings {
  readonly learningRate: number;
  /**
   * The weight of the L2 term, which is added as in the original Adam: gradient += weightDecay * parameter, before the
   * moments are updated.
   */
  readonly weightDecay: number;
  /**
   * The weight of the L1 term, sum|parameter|, in the gradient; 0 if the trial reports the L1 term, but does not train
   * on it.
   */
  readonly l1: number;
}

/**
 * Adam (Kingma and Ba, 2015) as PyTorch computes it:
 * `p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`. Here p is a parameter, lr the learning rate, t the
 * number of the step, m and v the first and second moments of the gradient, and b1 and b2 their decay rates.
 */
export class Adam {
  private members: readonly OptimizerSettings[];
  private current: tf.Tensor3D;
  private first: tf.Tensor3D;
  private second: tf.Tensor3D;
  private steps: readonly number[];

  /** @param initial the parameters, `[members, rows, ROW]`; Adam takes ownership of the tensor */
  constructor(initial: tf.Tensor3D, members: readonly OptimizerSettings[]) {
    this.members = members;
    this.current = tf.keep(initial);
    this.first = tf.keep(tf.zeros(initial.shape));
    this.second = tf.keep(tf.zeros(initial.shape));
    this.steps = members.map(() => 0);
  }

  /** The parameters, `[members, rows, ROW]`. The tensor is valid until the next step. */
  get parameters(): tf.Tensor3D {
    return this.current;
  }

  /** @param gradient for each member, the gradient of the loss without the elastic net; same shape as the parameters */
  step(gradient: tf.Tensor3D): void {
    this.steps = this.steps.map((steps) => steps + 1);
    const members = this.members.map(({ learningRate }, at) => ({ learningRate, steps: this.steps[at] ?? 0 }));
    const values = { parameters: this.current, first: this.first, second: this.second };
    this.replace(tf.tidy(() => adamUpdate(values, this.regularized(gradient), members)));
  }

  /** Reads a member's state from the device. The method must not run during a step. */
  async save(member: number): Promise<AdamState> {
    const read = async (all: tf.Tensor3D) => {
      const own = memberOf(all, member);
      try {
        return await own.data<'float32'>();
      } finally {
        own.dispose();
      }
    };
    return {
      parameters: await read(this.current),
      first: await read(this.first),
      second: await read(this.second),
      steps: this.steps[member] ?? 0,
      moments: 'sums',
    };
  }

  /** Replaces a member's state. The matrices must have the same shape as the matrices of this optimizer. */
  restore(member: number, state: AdamState): void {
    const { parameters, first, second } = momentsAs('sums', state);
    const put = (all: tf.Tensor3D, values: Float32Array) => {
      const [members, rows, columns] = all.shape;
      const own = tf.tensor3d(values, [1, rows, columns]);
      if (members === 1) return own;
      return tf.concat3d([...split(all).map((other, at) => (at === member ? own : other))], 0);
    };
    this.replace(
      tf.tidy(() => ({
        parameters: put(this.current, parameters),
        first: put(this.first, first),
        second: put(this.second, second),
      })),
    );
    this.steps = this.steps.map((taken, at) => (at === member ? state.steps : taken));
  }

  /** Keeps only the given members, in the given order. */
  keepOnly(members: readonly number[]): void {
    const pick = (all: tf.Tensor3D) => {
      const parts = split(all);
      return tf.concat3d(
        members.flatMap((member) => parts[member] ?? []),
        0,
      );
    };
    this.replace(
      tf.tidy(() => ({ parameters: pick(this.current), first: pick(this.first), second: pick(this.second) })),
    );
    this.steps = members.map((member) => this.steps[member] ?? 0);
    this.members = members.flatMap((member) => this.members[member] ?? []);
  }

  dispose(): void {
    tf.dispose([this.current, this.first, this.second]);
  }

  private replace(next: AdamValues): void {
    this.dispose();
    this.current = tf.keep(next.parameters);
    this.first = tf.keep(next.first);
    this.second = tf.keep(next.second);
  }

  private regularized(gradient: tf.Tensor3D): tf.Tensor3D {
    const decays = this.members.map(({ weightDecay }) => weightDecay);
    const weights = this.members.map(({ l1 }) => l1);
    const terms = [gradient];
    if (decays.some((decay) => decay !== 0)) terms.push(tf.mul(this.current, perMember(decays)));
    if (weights.some((weight) => weight !== 0)) terms.push(l1Gradient(this.current, perMember(weights)));
    return terms.length === 1 ? gradient : tf.addN(terms);
  }
}

function l1Gradient(parameters: tf.Tensor3D, weight: number | tf.Tensor3D): tf.Tensor3D {
  if (nativeKernels() !== undefined) return tf.mul(tf.sign(parameters), weight);
  // Scaling and clipping give the weight with the sign of the parameter, unless the magnitude of the parameter is below
  // 1e-30. tf.sign is not used here, because on wasm it is 0 for magnitudes below 1e-6.
  if (typeof weight === 'number') return tf.clipByValue(tf.mul(parameters, weight * 1e30), -weight, weight);
  return tf.mul(tf.clipByValue(tf.mul(parameters, 1e30), -1, 1), weight);
}

/** Returns the matrix of one member, `[1, rows, ROW]`. */
export function memberOf(all: tf.Tensor3D, member: number): tf.Tensor3D {
  const [, rows, columns] = all.shape;
  return tf.slice3d(all, [member, 0, 0], [1, rows, columns]);
}

function split(all: tf.Tensor3D): tf.Tensor3D[] {
  return tf.split(all, all.shape[0], 0);
}

/**
 * Returns the values after one step. The moments are sums, because means would take two more passes over the
 * parameters.
 */
function adamUpdate(
  { parameters, first, second }: AdamValues,
  gradient: tf.Tensor3D,
  members: readonly MemberStep[],
): AdamValues {
  const rates = members.map(({ learningRate, steps }) => rateOfSums(learningRate, steps));
  return tf.tidy(() => {
    const nextFirst = tf.add<tf.Tensor3D>(tf.mul(first, BETA1), gradient);
    const nextSecond = tf.add<tf.Tensor3D>(tf.mul(second, BETA2), tf.square(gradient));
    const rate = perMember(rates.map(({ rate }) => rate));
    const epsilon = perMember(rates.map(({ epsilon }) => epsilon));
    const move = tf.div(tf.mul(nextFirst, rate), tf.add(tf.sqrt(nextSecond), epsilon));
    return { first: nextFirst, second: nextSecond, parameters: tf.sub<tf.Tensor3D>(parameters, move) };
  });
}

/** Returns the values of the members in a form that can be broadcast to `[members, rows, ROW]`. */
function perMember(values: readonly number[]): number | tf.Tensor3D {
  const [first = 0, ...others] = values;
  return others.every((value) => value === first) ? first : tf.tensor3d([...values], [values.length, 1, 1]);
}
