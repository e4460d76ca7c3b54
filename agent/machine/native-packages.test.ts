import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import util from 'node:util';
import { expect, test } from 'vitest';
import { isWasmOnly, nativeEntry, provideOldUtilFunctions } from './native-packages.ts';

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

test.each(['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'] as const)(
  'on each version of Node, the functions of util that %s calls exist, and print no deprecation warning',
  (name) => {
    provideOldUtilFunctions();
    const folder = dirname(nativeEntry(name));
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
      /(?<!_test)\.js$/.test(file),
    );
    const called = files.flatMap((file) => {
      const source = readFileSync(join(folder, file), 'utf8');
      const imported = /var (\w+) = require\("util"\)/.exec(source)?.[1];
      return imported === undefined
        ? []
        : [...source.matchAll(new RegExp(`${imported}\\.(\\w+)`, 'g'))].map(([, each]) => each);
    });
    expect(called).toContain('isNullOrUndefined');
    expect(called.filter((each = '') => typeof Reflect.get(util, each) !== 'function')).toEqual([]);
    expect(util.isArray).toBe(Array.isArray);
  },
);
