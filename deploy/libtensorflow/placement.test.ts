import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isPlaced, packageFolder, placeLibrary, removePlacement, restorePlacement } from './placement.mjs';

const NAME = '@tensorflow/tfjs-node';
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'trawl-placement-'));
  install();
  mkdirSync(join(root, 'cache/lib'), { recursive: true });
  writeFileSync(join(root, 'cache/lib/libtensorflow.so.2'), 'library');
  writeFileSync(join(root, 'cache/binding.node'), 'binding');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const install = () => mkdirSync(packageFolder(root, NAME), { recursive: true });
const inPackage = (file: string) => join(packageFolder(root, NAME), file);
const placement = () => ({
  packages: [NAME],
  lib: join(root, 'cache/lib'),
  binding: join(root, 'cache/binding.node'),
  napi: 8,
});

test('setup copies the binding into the package, and links the libraries where the binding looks for them', () => {
  expect(isPlaced(root, NAME)).toBe(false);
  placeLibrary(root, placement());
  expect(isPlaced(root, NAME)).toBe(true);
  expect(readFileSync(inPackage('lib/napi-v8/tfjs_binding.node'), 'utf8')).toBe('binding');
  expect(readFileSync(inPackage('lib/napi-v8/../../deps/lib/libtensorflow.so.2'), 'utf8')).toBe('library');
});

test('the binding is restored only if its package was reinstalled', () => {
  expect(restorePlacement(root)).toEqual([]);
  placeLibrary(root, placement());
  expect(restorePlacement(root)).toEqual([]);
  rmSync(join(root, 'node_modules'), { recursive: true });
  install();
  expect(restorePlacement(root)).toEqual([NAME]);
  expect(existsSync(inPackage('lib/napi-v8/tfjs_binding.node'))).toBe(true);
});

test('the binding is not restored after the cache was emptied', () => {
  placeLibrary(root, placement());
  rmSync(join(root, 'node_modules'), { recursive: true });
  install();
  rmSync(join(root, 'cache'), { recursive: true });
  expect(restorePlacement(root)).toEqual([]);
  expect(isPlaced(root, NAME)).toBe(false);
});

test('an installed package without its libraries is reported as incomplete', () => {
  placeLibrary(root, placement());
  rmSync(join(root, 'cache'), { recursive: true });
  expect(isPlaced(root, NAME)).toBe(false);
});

test('the binding is not restored after its placement was removed', () => {
  placeLibrary(root, placement());
  removePlacement(root, placement());
  expect(existsSync(inPackage('lib'))).toBe(false);
  expect(existsSync(inPackage('deps'))).toBe(false);
  expect(restorePlacement(root)).toEqual([]);
});
