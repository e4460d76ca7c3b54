import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { runFixture } from '../fixture-process.ts';
import { BACKENDS, chooseBackend, forcedBackend, NoBackendError } from './backend.ts';
import { probeBackends } from './probe.ts';

test('the wasm backend loads and computes', async () => {
  expect(await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false })).toEqual({ name: 'wasm' });
  expect(tf.getBackend()).toBe('wasm');
  expect(await tf.matMul([[1, 2]], [[3], [4]]).data()).toEqual(Float32Array.of(11));
});

test('choosing prints nothing of its own', async () => {
  const { stdout, stderr } = await runFixture(new URL('./choose.fixture.ts', import.meta.url));
  expect(BACKENDS).toContain(stdout.trim());
  expect(stderr).toBe('');
});

test('without a GPU, a required one is refused with the reason', async () => {
  const choice = chooseBackend({ gpus: 0, requireGpu: true });
  await expect(choice).rejects.toThrow(NoBackendError);
  await expect(choice).rejects.toThrow(/--require-gpu.*\n.*tensorflow-gpu: no GPU is seen/);
});

test('a backend on the CPU and a required GPU contradict each other', async () => {
  const choice = chooseBackend({ forced: 'wasm', gpus: 1, requireGpu: true });
  await expect(choice).rejects.toThrow('backend wasm computes on the CPU, but --require-gpu asks for a GPU');
});

test('a probe tells of every backend, in order, why it does not load', async () => {
  const probes = await probeBackends();
  expect(probes.map(({ name }) => name)).toEqual(BACKENDS);
  expect(probes.at(-1)).toEqual({ name: 'wasm', loads: true, reason: '' });
  for (const { loads, reason } of probes) expect(reason === '').toBe(loads);
});

test('TRAWL_BACKEND names a backend, and a name that none has is refused', () => {
  expect(forcedBackend({})).toBeUndefined();
  expect(forcedBackend({ TRAWL_BACKEND: '' })).toBeUndefined();
  expect(forcedBackend({ TRAWL_BACKEND: 'tensorflow' })).toBe('tensorflow');
  expect(() => forcedBackend({ TRAWL_BACKEND: 'cpu' })).toThrow('TRAWL_BACKEND is cpu, expected tensorflow-gpu');
});
