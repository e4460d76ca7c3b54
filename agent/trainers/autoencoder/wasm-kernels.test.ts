import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { chooseBackend } from '../../machine/backend.ts';
import { Adam, BETA1, BETA2, rateOfSums } from './adam.ts';
import { TensorAdamKernel } from './wasm-kernels.ts';

const LEARNING_RATE = 0.01;

beforeAll(async () => {
  await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false });
});

/** Values around 0, among them exact zeros and a very small value. */
const valuesOf = (size: number, seed: number) =>
  Float32Array.from({ length: size }, (_, i) => (i % 5 === 2 ? 0 : i % 7 === 3 ? 1e-20 : Math.sin(seed + 2.5 * i)));

const zeros = (size: number) => tf.zeros([1, 1, size]) as tf.Tensor3D;

test.each([1, 3, 4, 5, 30, 1027].flatMap((size) => [0, 0.01].map((l1) => [size, l1] as const)))(
  'the update of %d values with an L1 weight of %d gives bitwise the same result as single operations',
  (size, l1) => {
    tf.tidy(() => {
      const kernel = new TensorAdamKernel();
      const weightDecay = 0.1;
      const initial = valuesOf(size, 7);
      const adam = new Adam(tf.tensor3d(initial, [1, 1, size]), [{ learningRate: LEARNING_RATE, weightDecay, l1 }]);
      const own = { parameters: tf.tensor3d(initial, [1, 1, size]), first: zeros(size), second: zeros(size) };
      for (let steps = 1; steps <= 3; steps++) {
        const gradient = tf.tensor3d(valuesOf(size, steps), [1, 1, size]);
        const before = adam.parameters.dataSync<'float32'>().reduce((sum, value) => sum + Math.abs(value), 0);
        adam.step(gradient);
        const numbers = { weightDecay, l1, beta1: BETA1, beta2: BETA2, ...rateOfSums(LEARNING_RATE, steps) };
        const sum = kernel.update(own, gradient, numbers);
        expect(own.parameters.dataSync()).toEqual(adam.parameters.dataSync());
        expect(Math.abs(sum / before - 1)).toBeLessThan(1e-12);
      }
      adam.dispose();
    });
  },
);

test('an update changes no memory beyond its tensors', () => {
  tf.tidy(() => {
    const kernel = new TensorAdamKernel();
    const size = 5;
    // The tensors are neighbors in memory, so an access beyond the end of one tensor would change another.
    const tensors = Array.from({ length: 9 }, (_, at) => tf.fill([size], at + 1));
    const [, parameters, , first, , second, , gradient] = tensors;
    if (!(parameters && first && second && gradient)) throw new Error('missing tensors');
    const numbers = { weightDecay: 0, l1: 0, beta1: BETA1, beta2: BETA2, ...rateOfSums(LEARNING_RATE, 1) };
    kernel.update({ parameters, first, second }, gradient, numbers);
    for (const at of [0, 2, 4, 6, 7, 8]) expect([...(tensors[at]?.dataSync() ?? [])]).toEqual(Array(size).fill(at + 1));
    for (const changed of [parameters, first, second]) expect(new Set(changed.dataSync()).size).toBe(1);
  });
});

test('if a parameter is NaN, its updated value and the returned sum are NaN', () => {
  tf.tidy(() => {
    const kernel = new TensorAdamKernel();
    const parameters = tf.tensor1d([1, Number.NaN, 2]);
    const numbers = { weightDecay: 0, l1: 0.1, beta1: BETA1, beta2: BETA2, ...rateOfSums(LEARNING_RATE, 1) };
    const own = { parameters, first: tf.zeros([3]), second: tf.zeros([3]) };
    expect(kernel.update(own, tf.ones([3]), numbers)).toBeNaN();
    expect([...parameters.dataSync()].map(Number.isNaN)).toEqual([false, true, false]);
  });
});

/**
 * Returns the parameters and the moments after `updates` updates. They start with the given values, and each update
 * uses the same gradient.
 */
function updated(given: { parameter: number; first: number; second: number; gradient: number }, updates: number) {
  return tf.tidy(() => {
    const kernel = new TensorAdamKernel();
    // Five values, so that both loops of the kernel run.
    const [parameters, first, second] = [given.parameter, given.first, given.second].map((value) =>
      tf.fill([5], value),
    );
    if (!(parameters && first && second)) throw new Error('missing tensors');
    const gradient = tf.fill([5], given.gradient);
    for (let steps = 1; steps <= updates; steps++) {
      const numbers = { weightDecay: 0, l1: 0, beta1: BETA1, beta2: BETA2, ...rateOfSums(LEARNING_RATE, steps) };
      kernel.update({ parameters, first, second }, gradient, numbers);
    }
    return { parameters: parameters.dataSync(), first: first.dataSync(), second: second.dataSync() };
  });
}

/** The smallest positive float32 value that is not denormal. */
const SMALLEST_NORMAL = 2 ** -126;

test.each([4 * 2 ** -149, -4 * 2 ** -149, SMALLEST_NORMAL])(
  'with a gradient of 0, a first moment of %d becomes 0',
  (first) => {
    const after = updated({ parameter: 0.5, first, second: 0, gradient: 0 }, 1);
    expect([...after.first].map(Math.abs)).toEqual(Array(5).fill(0));
    expect([...after.parameters]).toEqual(Array(5).fill(0.5));
  },
);

test.each([
  [4 * 2 ** -149, 0],
  [SMALLEST_NORMAL, 0],
  [0, 1e-21],
  [0, -1e-42],
])(
  'a second moment of %d with a gradient of %d does not become denormal, and the parameter keeps its value',
  (second, gradient) => {
    const after = updated({ parameter: 0.5, first: 0, second, gradient }, 30);
    for (const value of after.second) {
      expect(value).toBeGreaterThanOrEqual(SMALLEST_NORMAL);
      expect(value).toBeLessThan(2 ** -114);
    }
    expect([...after.parameters]).toEqual(Array(5).fill(0.5));
  },
);

test('with a gradient of 0, moments of ordinary size decay by the factors beta1 and beta2, for either sign of the first moment', () => {
  for (const sign of [1, -1]) {
    const after = updated({ parameter: 0.5, first: sign * 2 ** -80, second: 2 ** -80, gradient: 0 }, 1);
    for (const value of after.first) expect(value / (sign * 2 ** -80)).toBeCloseTo(BETA1, 6);
    for (const value of after.second) expect(value / 2 ** -80).toBeCloseTo(BETA2, 6);
  }
});

test.each(['first', 'second', 'gradient'] as const)('if the value of %s is NaN, the parameter becomes NaN', (name) => {
  const after = updated({ parameter: 0.5, first: 0, second: 0, gradient: 0, [name]: Number.NaN }, 1);
  expect([...after.parameters].every(Number.isNaN)).toBe(true);
  if (name !== 'second') expect([...after.first].every(Number.isNaN)).toBe(true);
  if (name !== 'first') expect([...after.second].every(Number.isNaN)).toBe(true);
});
