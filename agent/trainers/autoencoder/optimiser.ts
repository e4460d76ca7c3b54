/**
 * Adam with an elastic net, over all parameters of all members of a pack as one tensor: a dozen operations a step for
 * any depth and any number of members.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type AdamState, type AdamValues, momentsAs } from './adam-rule.ts';
import { adamUpdate, each } from './adam-update.ts';
import { nativeKernels } from './native-kernels.ts';

export interface OptimiserSettings {
  readonly learningRate: number;
  /** L2 in Adam's coupled form: gradient += weightDecay * parameter, before the moments. */
  readonly weightDecay: number;
  /** Weight of sum|parameter|, as far as it is trained; 0 where it is only reported. */
  readonly l1: number;
}

/**
 * Adam (Kingma and Ba, 2015) as PyTorch computes it:
 * `p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
 */
export class Adam {
  private members: readonly OptimiserSettings[];
  private current: tf.Tensor3D;
  private first: tf.Tensor3D;
  private second: tf.Tensor3D;
  private steps: readonly number[];

  /** @param initial the parameters `[members, rows, ROW]`; Adam owns the tensor from here on. */
  constructor(initial: tf.Tensor3D, members: readonly OptimiserSettings[]) {
    this.members = members;
    this.current = tf.keep(initial);
    this.first = tf.keep(tf.zeros(initial.shape));
    this.second = tf.keep(tf.zeros(initial.shape));
    this.steps = members.map(() => 0);
  }

  /** `[members, rows, ROW]`; valid until the next step. */
  get parameters(): tf.Tensor3D {
    return this.current;
  }

  /** @param gradient of each member's loss without the elastic net, in the parameters' shape. */
  step(gradient: tf.Tensor3D): void {
    this.steps = this.steps.map((steps) => steps + 1);
    const members = this.members.map(({ learningRate }, at) => ({ learningRate, steps: this.steps[at] ?? 0 }));
    const values = { parameters: this.current, first: this.first, second: this.second };
    this.replace(tf.tidy(() => adamUpdate(values, this.regularised(gradient), members)));
  }

  /** Reads a member's state back from the device; not while a step is taken. */
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

  /** Puts a member where another's state was saved; its matrices are of this one's shape. */
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

  /** Goes on with these members only, in this order. */
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

  private regularised(gradient: tf.Tensor3D): tf.Tensor3D {
    const decays = this.members.map(({ weightDecay }) => weightDecay);
    const weights = this.members.map(({ l1 }) => l1);
    const terms = [gradient];
    if (decays.some((decay) => decay !== 0)) terms.push(tf.mul(this.current, each(decays)));
    if (weights.some((weight) => weight !== 0)) terms.push(l1Gradient(this.current, each(weights)));
    return terms.length === 1 ? gradient : tf.addN(terms);
  }
}

/** weight * sign(p), 0 at 0. */
function l1Gradient(parameters: tf.Tensor3D, weight: number | tf.Tensor3D): tf.Tensor3D {
  if (nativeKernels() !== undefined) return tf.mul(tf.sign(parameters), weight);
  // Within 1e-30 of 0 it is a slope instead; tf.sign takes six times as long on wasm.
  if (typeof weight === 'number') return tf.clipByValue(tf.mul(parameters, weight * 1e30), -weight, weight);
  return tf.mul(tf.clipByValue(tf.mul(parameters, 1e30), -1, 1), weight);
}

/** `[1, rows, ROW]` of one member. */
export function memberOf(all: tf.Tensor3D, member: number): tf.Tensor3D {
  const [, rows, columns] = all.shape;
  return tf.slice3d(all, [member, 0, 0], [1, rows, columns]);
}

function split(all: tf.Tensor3D): tf.Tensor3D[] {
  return tf.split(all, all.shape[0], 0);
}
