import { expect, test } from 'vitest';
import { isOutOfMemory } from './completion.ts';

test.each([
  'OOM when allocating tensor with shape[64,784,784]',
  'failed to allocate memory',
  'Dst tensor is not initialized.',
  'CUDA_ERROR_OUT_OF_MEMORY: out of memory',
  'Array buffer allocation failed',
  'WebAssembly.Memory(): could not allocate memory',
])('the error "%s" means that memory ran out', (message) => {
  expect(isOutOfMemory(new Error(message))).toBe(true);
});

test('other errors of TensorFlow do not mean that memory ran out', () => {
  expect(isOutOfMemory(new Error('Attempting to use uninitialized value tensor'))).toBe(false);
});
