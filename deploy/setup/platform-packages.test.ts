import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CHECKOUT } from './common.mjs';
import { missingPlatformPackages } from './platform-packages.mjs';

test('the lock file lists the packages of every platform, as npm ci requires', () => {
  // `node deploy/complete-lock.mjs` adds missing packages.
  const lock = JSON.parse(readFileSync(join(CHECKOUT, 'package-lock.json'), 'utf8'));
  expect(Object.keys(missingPlatformPackages(lock))).toEqual([]);
});

test('the platform of a missing package is derived from its name', () => {
  const tool = {
    dev: true,
    optionalDependencies: { 'tool-linux-x64-musl': '1.2.3', 'tool-linux-armv7': '1.2.3', fsevents: '~2.3.3' },
  };
  expect(missingPlatformPackages({ packages: { '': {}, 'node_modules/tool': tool } })).toEqual({
    'node_modules/tool-linux-x64-musl': {
      version: '1.2.3',
      cpu: ['x64'],
      dev: true,
      libc: ['musl'],
      optional: true,
      os: ['linux'],
    },
    'node_modules/tool-linux-armv7': { version: '1.2.3', cpu: ['arm'], dev: true, optional: true, os: ['linux'] },
    'node_modules/fsevents': { version: '2.3.3', dev: true, optional: true, os: ['darwin'] },
  });
});

test('a package that is locked in any enclosing node_modules folder is not missing', () => {
  const entry = { optionalDependencies: { part: '1.0.0' } };
  for (const place of [
    'node_modules/a/node_modules/b/node_modules/part',
    'node_modules/a/node_modules/part',
    'node_modules/part',
  ]) {
    expect(missingPlatformPackages({ packages: { 'node_modules/a/node_modules/b': entry, [place]: {} } })).toEqual({});
  }
});
