import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { runFixture } from '../../test/support/run-fixture.ts';
import { isOutOfMemory } from '../trainers/autoencoder/completion.ts';
import { BACKENDS, chooseBackend, forcedBackend, NoBackendError } from './backend.ts';
import { probeBackends } from './probe.ts';

test('the wasm backend loads and computes correctly', async () => {
  expect(await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false })).toEqual({ name: 'wasm' });
  expect(tf.getBackend()).toBe('wasm');
  expect(await tf.matMul([[1, 2]], [[3], [4]]).data()).toEqual(Float32Array.of(11));
});

test('choosing a backend prints nothing', async () => {
  const { stdout, stderr } = await runFixture(new URL('./choose-backend.fixture.ts', import.meta.url));
  expect(BACKENDS).toContain(stdout.trim());
  expect(stderr).toBe('');
});

test('--require-gpu on a machine without a GPU is rejected with the reason', async () => {
  const choice = chooseBackend({ gpus: 0, requireGpu: true });
  await expect(choice).rejects.toThrow(NoBackendError);
  await expect(choice).rejects.toThrow(/--require-gpu.*\n.*tensorflow-gpu: no GPU found/);
});

test('a forced CPU backend is rejected together with --require-gpu', async () => {
  const choice = chooseBackend({ forced: 'wasm', gpus: 1, requireGpu: true });
  await expect(choice).rejects.toThrow('backend wasm computes on the CPU, but --require-gpu is set');
});

test('probing lists all backends in order, and gives the reason for each backend that does not load', async () => {
  const probes = await probeBackends();
  expect(probes.map(({ name }) => name)).toEqual(BACKENDS);
  expect(probes.at(-1)).toEqual({ name: 'wasm', loads: true, reason: '' });
  for (const { loads, reason } of probes) expect(reason === '').toBe(loads);
});

test('TRAWL_BACKEND selects a backend, and an unknown backend is rejected', () => {
  expect(forcedBackend({})).toBeUndefined();
  expect(forcedBackend({ TRAWL_BACKEND: '' })).toBeUndefined();
  expect(forcedBackend({ TRAWL_BACKEND: 'tensorflow' })).toBe('tensorflow');
  expect(() => forcedBackend({ TRAWL_BACKEND: 'cpu' })).toThrow('TRAWL_BACKEND is cpu, expected tensorflow-gpu');
});

/** Reserves memory for a tensor without writing to the memory. */
interface Allocator {
  makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo;
  disposeData(dataId: object): void;
}

test('a full wasm heap causes an out-of-memory error, not wrong numbers', async () => {
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
