/** One product, again and again. */
import * as tf from '@tensorflow/tfjs-core';
import { MATMUL_INNER, MATMUL_ROWS, type Request } from './measurement.ts';
import type { Step } from './subject.ts';

export function matmulStep({ batch }: Request): Step {
  const a = tf.randomUniform([MATMUL_ROWS, MATMUL_INNER]);
  const b = tf.randomUniform([MATMUL_INNER, batch]);
  let last = tf.matMul(a, b);
  return {
    async take() {
      last.dispose();
      last = tf.matMul(a, b);
    },
    async settle() {
      await last.data();
    },
  };
}
