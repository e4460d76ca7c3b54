import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { interpreterIn, PythonEnvironments } from './python-environments.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-python-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const python = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
const hasPython = python.status === 0;

/** Returns an interpreter that appends a line to `runs` and prints `output`. */
function fakePython(output: string, exit = 0): string {
  const path = join(dir, 'python3');
  writeFileSync(join(dir, 'output'), output);
  writeFileSync(path, `#!/bin/sh\necho run >> ${dir}/runs\ncat ${dir}/output\nexit ${exit}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('the packages of each interpreter are listed once, even if many attempts use the interpreter', async () => {
  const environments = new PythonEnvironments();
  const path = fakePython('3.12.4\n/usr/bin/python3\na==1\nb==2\n');
  const ask = (PYTHONPATH?: string) => environments.packagesOf(interpreterIn(path, { PYTHONPATH, SECRET: 'x' }));
  const [first, second] = await Promise.all([ask(), ask()]);
  expect(first).toEqual({ interpreter: '/usr/bin/python3', python: '3.12.4', packages: 'a==1\nb==2' });
  expect(second).toBe(first);
  await ask();
  expect(readFileSync(join(dir, 'runs'), 'utf8')).toBe('run\n');
  await ask('/elsewhere');
  expect(readFileSync(join(dir, 'runs'), 'utf8')).toBe('run\nrun\n');
});

test('an interpreter that fails is not started again, and its packages are unknown', async () => {
  const environments = new PythonEnvironments();
  const interpreter = interpreterIn(fakePython('no', 1), {});
  expect(await environments.packagesOf(interpreter)).toBeUndefined();
  expect(await environments.packagesOf(interpreter)).toBeUndefined();
  expect(readFileSync(join(dir, 'runs'), 'utf8')).toBe('run\n');
  expect(await environments.packagesOf(interpreterIn('/nowhere/python3', {}))).toBeUndefined();
});

test('a list of packages that is too long is truncated after a complete entry', async () => {
  const many = Array.from({ length: 10_000 }, (_, at) => `package-${at}==1.0`).join('\n');
  const listed = await new PythonEnvironments().packagesOf(interpreterIn(fakePython(`3.12.4\n/p\n${many}\n`), {}));
  expect(Buffer.byteLength(listed?.packages ?? '')).toBeLessThanOrEqual(65_536);
  expect(many.startsWith(`${listed?.packages}\n`)).toBe(true);
});

test.runIf(hasPython)(
  'the packages of a real interpreter are listed in the format of pip freeze, and are not imported',
  async () => {
    const site = join(dir, 'site');
    spawnSync('mkdir', ['-p', join(site, 'tool-1.5.dist-info')]);
    writeFileSync(join(site, 'tool-1.5.dist-info', 'METADATA'), 'Metadata-Version: 2.1\nName: Tool\nVersion: 1.5\n');
    writeFileSync(join(site, 'tool.py'), 'raise SystemExit(1)\n');
    const environment = { ...process.env, PYTHONPATH: site };
    const listed = await new PythonEnvironments().packagesOf(interpreterIn(python.stdout.trim(), environment));
    expect(listed?.python).toMatch(/^3\.\d+\.\d+$/);
    expect(listed?.interpreter).toMatch(/^\//);
    expect(listed?.packages.split('\n')).toContain('Tool==1.5');
  },
);
