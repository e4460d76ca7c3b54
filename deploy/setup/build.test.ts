import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { build, buildProblem } from './build.mjs';
import { bundleFile, isBundleCurrent } from './bundle.mjs';
import { CHECKOUT } from './common.mjs';
import { CommandError } from './run.mjs';
import { setUp } from './set-up.mjs';

let root: string;

/** Creates a checkout that uses the real compiler and has three source files. Two of these files are programs. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'trawl-build-'));
  for (const name of ['tsconfig.json', 'package.json']) cpSync(join(CHECKOUT, name), join(root, name));
  // The lock file lists exactly the installed packages. Otherwise a setup could run `npm ci`, which would remove the
  // packages of the checkout.
  cpSync(join(CHECKOUT, 'node_modules', '.package-lock.json'), join(root, 'package-lock.json'));
  symlinkSync(join(CHECKOUT, 'node_modules'), join(root, 'node_modules'));
  mkdirSync(join(root, 'bin'));
  writeFileSync(join(root, 'bin', 'main.ts'), "import { one } from './one.ts';\nconsole.log(one);\n");
  writeFileSync(join(root, 'bin', 'one.ts'), 'export const one = 1;\n');
  mkdirSync(join(root, 'agent', 'worker'), { recursive: true });
  writeFileSync(join(root, 'agent', 'worker', 'main.ts'), 'console.log(2);\n');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const dist = (name: string) => join(root, 'dist', 'bin', name);

test('a build is needed the first time, and after each change of a source file', async () => {
  expect(buildProblem(root)).toBe('dist is missing or incomplete');
  await build(root);
  expect(buildProblem(root)).toBeNull();
  writeFileSync(join(root, 'bin', 'one.ts'), 'export const one = 2;\n');
  expect(buildProblem(root)).toBe('sources have changed');
  await build(root);
  expect(readFileSync(dist('one.js'), 'utf8')).toContain('one = 2');
});

test('build output that was deleted is built again', async () => {
  await build(root);
  rmSync(dist('one.js'));
  expect(buildProblem(root)).toBe('part of dist is missing');
  await build(root);
  expect(existsSync(dist('one.js'))).toBe(true);
  rmSync(bundleFile(root));
  expect(buildProblem(root)).toBe('part of dist is missing');
  await build(root);
  expect(readFileSync(bundleFile(root), 'utf8')).toContain('one = 1');
});

test('a bundle that is older than the compiled files is built again', async () => {
  await build(root);
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(root, 'dist', '.tsbuildinfo'), later, later);
  expect(buildProblem(root)).toBe('the bundle is older than the compiled files');
  expect(isBundleCurrent(root)).toBe(false);
  utimesSync(join(root, 'dist', '.tsbuildinfo'), new Date(0), new Date(0));
  await build(root);
  expect(buildProblem(root)).toBeNull();
  expect(isBundleCurrent(root)).toBe(true);
});

test('the output of a deleted source is removed', async () => {
  await build(root);
  writeFileSync(join(root, 'bin', 'main.ts'), 'console.log(1);\n');
  rmSync(join(root, 'bin', 'one.ts'));
  await build(root);
  expect(existsSync(dist('one.js'))).toBe(false);
  expect(existsSync(dist('one.js.map'))).toBe(false);
  expect(existsSync(dist('main.js'))).toBe(true);
});

test('a type error fails the build with the message of the compiler, and the next setup must build again', async () => {
  writeFileSync(join(root, 'bin', 'one.ts'), "export const one: number = 'one';\n");
  await expect(build(root)).rejects.toThrow(/bin\/one\.ts.*TS2322/);
  await expect(build(root)).rejects.toThrow(CommandError);
  expect(existsSync(dist('one.js'))).toBe(false);
  expect(buildProblem(root)).not.toBeNull();
  writeFileSync(join(root, 'bin', 'one.ts'), 'export const one = 1;\n');
  await build(root);
  expect(existsSync(dist('one.js'))).toBe(true);
});

test('a second setup builds nothing, and two concurrent setups build once', async () => {
  const lines: string[] = [];
  const options = { root, steps: ['dependencies', 'build'], log: (line: string) => lines.push(line) };
  await Promise.all([setUp(options), setUp(options)]);
  expect(lines.filter((line) => line.includes('running tsc ...'))).toHaveLength(1);
  expect(existsSync(join(root, '.trawl', 'set-up.lock'))).toBe(false);
  lines.length = 0;
  await setUp(options);
  expect(lines).toEqual([expect.stringMatching(/^dependencies: ready/), expect.stringMatching(/^build: ready/)]);
});
