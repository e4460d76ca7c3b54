import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { isOutOfMemory } from '../trainers/autoencoder/failures.ts';
import { chooseBackend } from './backend.ts';

/** The backend's own way to a tensor that nobody has written yet: takes addresses, but no memory. */
interface Allocator {
  makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo;
  disposeData(dataId: object): void;
}

test('a full wasm heap is an out-of-memory error, not wrong numbers', async () => {
  await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false });
  const backend = tf.backend() as unknown as Allocator;
  const allocated: tf.TensorInfo[] = [];
  let failure: unknown;
  try {
    while (allocated.length < 5) allocated.push(backend.makeOutput([3e8], 'float32'));
  } catch (error) {
    failure = error;
  }
  expect(allocated).toHaveLength(3);
  expect(isOutOfMemory(failure)).toBe(true);
  for (const { dataId } of allocated) backend.disposeData(dataId);
  expect(await tf.add([1, 2], 1).data()).toEqual(Float32Array.of(2, 3));
});
