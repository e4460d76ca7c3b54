import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CHECKOUT } from './checkout.mjs';

const read = (file: string) => readFileSync(join(CHECKOUT, file), 'utf8');
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly os?: readonly string[];
}

test('every dependency is one version, and the bytes of what is no binary for another platform are known', () => {
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

test('installing runs no script of any package', () => {
  expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m);
});
