import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { expect, test } from 'vitest';
import {
  docsFile,
  exampleFile,
  fingerprintOf,
  METHODS,
  PICTURED,
  pictureOf,
  picturePath,
  RULES,
  readRun,
} from './examples.ts';

const examples = readdirSync(dirname(exampleFile('grid')));

test('each search method and early-stopping rule has a sweep in examples/mnist, and the README there lists it', () => {
  const table = readFileSync(exampleFile('grid').replace('grid.yaml', 'README.md'), 'utf8');
  const sweeps = examples.filter((name) => name.endsWith('.yaml'));
  expect(sweeps).toEqual(expect.arrayContaining(PICTURED.map((name) => `${name}.yaml`)));
  for (const sweep of sweeps) expect(table).toContain(`[${sweep}](${sweep})`);
});

test.each(PICTURED)('the picture of %s shows the recorded result of the current sweep file', (name) => {
  expect(readRun(name).fingerprint).toBe(fingerprintOf(name));
  expect(readFileSync(docsFile(picturePath(name)), 'utf8')).toBe(`${pictureOf(name)}\n`);
});

test.each([
  ...METHODS.map((name) => [name, 'search-gallery.md'] as const),
  ...RULES.map((name) => [name, 'early-stopping.md'] as const),
])('the picture and the sweep file of %s are on the page %s', (name, page) => {
  const text = readFileSync(docsFile(page), 'utf8');
  expect(text).toContain(`](${picturePath(name)})`);
  expect(text).toContain(`examples/mnist/${basename(exampleFile(name))}`);
});
