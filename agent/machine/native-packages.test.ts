import { expect, test } from 'vitest';
import { isWasmOnly } from './native-packages.ts';

const CPU = { gpus: 0, requireGpu: false };
const absent = () => false;
const installed = () => true;

test('without GPUs, native packages and settings, only wasm can be chosen', () => {
  expect(isWasmOnly(CPU, {}, absent)).toBe(true);
  expect(isWasmOnly(CPU, { TRAWL_BACKEND: '', TRAWL_GPU_PACKS: '' }, absent)).toBe(true);
});

test('TRAWL_BACKEND=wasm excludes other backends, even if a native package is installed', () => {
  expect(isWasmOnly(CPU, { TRAWL_BACKEND: 'wasm' }, installed)).toBe(true);
});

test.each([
  ['a GPU is present', { gpus: 1, requireGpu: false }, {}, absent],
  ['a GPU is required', { gpus: 0, requireGpu: true }, {}, absent],
  ['a native package is installed', CPU, {}, installed],
  ['another backend is set', CPU, { TRAWL_BACKEND: 'tensorflow' }, absent],
  ['an unknown backend is set', CPU, { TRAWL_BACKEND: 'cpu' }, absent],
  ['TRAWL_GPU_PACKS is set, which may be invalid', CPU, { TRAWL_GPU_PACKS: 'graphs' }, absent],
] as const)('the backend must be loaded to be known if %s', (_, machine, environment, hasNative) => {
  expect(isWasmOnly(machine, environment, hasNative)).toBe(false);
});
