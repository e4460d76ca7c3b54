import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CHECKOUT } from './checkout.mjs';
import { dependenciesProblem } from './dependencies.mjs';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'trawl-dependencies-'));
  mkdirSync(join(root, 'node_modules'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const one = { version: '1.0.0', integrity: 'sha512-one' };
function given(wanted: object, installed?: object): string | null {
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: { '': { name: 'x' }, ...wanted } }));
  if (installed)
    writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }));
  return dependenciesProblem(root);
}

test('an install that was interrupted or never made is needed', () => {
  expect(given({ 'node_modules/one': one })).toBe('node_modules is missing or incomplete');
});

test('an install that has what the lock file wants is not needed', () => {
  expect(given({ 'node_modules/one': one }, { 'node_modules/one': one, 'node_modules/extra': one })).toBeNull();
  expect(dependenciesProblem(CHECKOUT)).toBeNull();
});

test('a package that is new in the lock file is named', () => {
  expect(given({ 'node_modules/@a/one': one }, {})).toBe('@a/one is not installed');
});

test('a package of another version is named with both versions', () => {
  const problem = given({ 'node_modules/one': { ...one, version: '1.1.0' } }, { 'node_modules/one': one });
  expect(problem).toBe('one 1.0.0 is installed and the lock file has 1.1.0');
});

test('a binary for another platform is not missed', () => {
  expect(given({ 'node_modules/one-darwin': { ...one, optional: true } }, {})).toBeNull();
});
