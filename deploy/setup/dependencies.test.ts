import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CHECKOUT } from './common.mjs';
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

test('an install is needed if no earlier install has completed', () => {
  expect(given({ 'node_modules/one': one })).toBe('node_modules is missing or incomplete');
});

test('no install is needed if the dependencies match the lock file', () => {
  expect(given({ 'node_modules/one': one }, { 'node_modules/one': one, 'node_modules/extra': one })).toBeNull();
  expect(dependenciesProblem(CHECKOUT)).toBeNull();
});

test('a package that is in the lock file but not installed is reported', () => {
  expect(given({ 'node_modules/@a/one': one }, {})).toBe('@a/one is not installed');
});

test('a package of another version is reported with the installed and the expected version', () => {
  const problem = given({ 'node_modules/one': { ...one, version: '1.1.0' } }, { 'node_modules/one': one });
  expect(problem).toBe('one 1.0.0 is installed, but the lock file has 1.1.0');
});

test('a missing binary of another platform is ignored', () => {
  expect(given({ 'node_modules/one-darwin': { ...one, optional: true } }, {})).toBeNull();
});

test('a missing optional dependency of trawl itself is reported', () => {
  const own = { '': { name: 'x', optionalDependencies: { one: '1.0.0' } } };
  expect(given({ ...own, 'node_modules/one': { ...one, optional: true } }, {})).toBe('one is not installed');
});

const read = (file: string) => readFileSync(join(CHECKOUT, file), 'utf8');
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly os?: readonly string[];
}

test('every dependency has an exact version, and a checksum unless it is a binary of another platform', () => {
  const { dependencies, devDependencies, optionalDependencies, overrides } = JSON.parse(read('package.json'));
  const versions = (from: object): string[] =>
    Object.values(from).flatMap((to) => (typeof to === 'string' ? [to] : versions(to)));
  for (const version of versions({ dependencies, devDependencies, optionalDependencies, overrides })) {
    expect(version).toMatch(EXACT);
  }
  const locked = Object.entries(JSON.parse(read('package-lock.json')).packages as Record<string, Locked>);
  for (const [path, { version, integrity, os }] of locked) {
    expect(version, path).toMatch(EXACT);
    if (path !== '' && os === undefined) expect(integrity, path).toMatch(/^sha512-/);
  }
});

test('npm install runs no install scripts', () => {
  expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m);
});
