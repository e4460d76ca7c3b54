/** A step of Adam by libtensorflow's own kernel: one pass over the parameters, where they lie. */
import * as tf from '@tensorflow/tfjs-core';
import { type AdamUpdate, type AdamValues, BETA1, BETA2, EPSILON, type MemberStep } from './adam-rule.ts';
import type { NativeKernels } from './native-kernels.ts';

/** The kernel's own betas: its 1 - b2 is off by 1e-5 of it, and the corrections have to be of the same numbers. */
const [BETA1F, BETA2F] = [Math.fround(BETA1), Math.fround(BETA2)];

export class NativeUpdate implements AdamUpdate {
  readonly moments = 'means';
  readonly #kernels: NativeKernels;
  /** For parameters and moments of one member, one after the other. */
  readonly #places: readonly number[];

  constructor(kernels: NativeKernels, [, rows, columns]: readonly [number, number, number]) {
    this.#kernels = kernels;
    this.#places = [1, 2, 3].map(() => kernels.place([1, rows, columns]));
  }

  apply(values: AdamValues, gradient: tf.Tensor3D, members: readonly MemberStep[]): AdamValues {
    const { parameters, first, second } = values;
    const [only] = members;
    if (only !== undefined && members.length === 1) return this.#one([parameters, first, second], gradient, only);
    const cut = [parameters, first, second].map((all): tf.Tensor3D[] => tf.split(all, members.length, 0));
    const gradients: tf.Tensor3D[] = tf.split(gradient, members.length, 0);
    const next = members.flatMap((member, at) => {
      const own = gradients[at];
      return own === undefined
        ? []
        : this.#one(
            cut.flatMap((parts) => parts[at] ?? []),
            own,
            member,
          );
    });
    return {
      parameters: tf.concat3d(
        next.map((each) => each.parameters),
        0,
      ),
      first: tf.concat3d(
        next.map((each) => each.first),
        0,
      ),
      second: tf.concat3d(
        next.map((each) => each.second),
        0,
      ),
    };
  }

  dispose(): void {
    for (const place of this.#places) this.#kernels.release(place);
  }

  #one(state: readonly tf.Tensor3D[], gradient: tf.Tensor3D, { learningRate, steps }: MemberStep): AdamValues {
    const unbiased2 = Math.sqrt(1 - BETA2F ** steps);
    const rate = (learningRate * unbiased2) / (1 - BETA1F ** steps);
    const numbers = { rate, beta1: BETA1F, beta2: BETA2F, epsilon: EPSILON * unbiased2 };
    const [parameters, first, second] = this.#kernels.adam(this.#places, state, gradient, numbers);
    if (parameters === undefined || first === undefined || second === undefined) throw new Error('a step gave nothing');
    return { parameters, first, second };
  }
}
