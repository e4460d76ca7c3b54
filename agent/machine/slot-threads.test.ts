import { expect, test } from 'vitest';
import { threadEnvironment } from './slot-threads.ts';

test('cores are shared out evenly among the slots, and each slot has one at least', () => {
  const threads = (cores: number, slots: number) => threadEnvironment(cores, slots, {}).TF_NUM_INTEROP_THREADS;
  expect([threads(2, 2), threads(2, 1), threads(16, 3), threads(2, 8)]).toEqual(['1', '2', '5', '1']);
});

test('half of a slot’s threads share one operation, and one thread is enough for two', () => {
  const within = (threads: number) => threadEnvironment(threads, 1, {}).TF_NUM_INTRAOP_THREADS;
  expect([1, 2, 3, 16].map(within)).toEqual(['1', '1', '2', '8']);
});

test('what the user has set stays', () => {
  expect(threadEnvironment(8, 2, { OMP_NUM_THREADS: '3', TF_NUM_INTRAOP_THREADS: '' })).toEqual({
    OMP_NUM_THREADS: '3',
    TF_NUM_INTRAOP_THREADS: '2',
    TF_NUM_INTEROP_THREADS: '4',
  });
});
