import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findNodeGyp, findNodeHeaders, napiVersion } from './binding.mjs';
import { pipProblem } from './fetch.mjs';
import { proofProblem } from './proof.mjs';

let prefix: string;
beforeEach(() => {
  prefix = mkdtempSync(join(tmpdir(), 'trawl-node-'));
});
afterEach(() => rmSync(prefix, { recursive: true, force: true }));

function file(path: string): string {
  mkdirSync(dirname(join(prefix, path)), { recursive: true });
  writeFileSync(join(prefix, path), '');
  return join(prefix, path);
}

test('node-gyp comes from the path that npm provides; without such a path, it comes from the npm that is installed with Node', () => {
  const execPath = join(prefix, 'bin/node');
  expect(() => findNodeGyp({}, execPath)).toThrow('npm run setup:native');
  const beside = file('lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js');
  expect(findNodeGyp({}, execPath)).toBe(beside);
  const named = file('elsewhere/node-gyp.js');
  expect(findNodeGyp({ npm_config_node_gyp: named }, execPath)).toBe(named);
});

test('the build uses the headers that are installed with Node', () => {
  const execPath = join(prefix, 'bin/node');
  expect(findNodeHeaders(execPath)).toBeUndefined();
  file('include/node/node_api.h');
  expect(findNodeHeaders(execPath)).toBe(prefix);
});

test('the binding is built for the newest N-API version that both the package and Node support', () => {
  expect(napiVersion([3, 4, 8], 9)).toBe(8);
  expect(napiVersion([3, 4, 8], 6)).toBe(4);
  expect(() => napiVersion([8], 6)).toThrow('needs N-API 8, but this Node has 6');
});

test('a test training is accepted only if it used libtensorflow and more than halved the loss', () => {
  const proof = { backend: 'tensorflow', tensorflow: '2.18.1', usesGpu: false, before: 1, after: 0.1 };
  expect(proofProblem(proof)).toBeNull();
  expect(proofProblem({ ...proof, after: Number.NaN })).toContain('does not learn');
  expect(proofProblem({ ...proof, after: 0.9 })).toContain('from 1 to 0.9');
  expect(proofProblem({ ...proof, backend: 'cpu' })).toContain('uses the backend cpu instead of libtensorflow');
});

test('only the errors in the output of pip are shown; if pip is missing, the error names the command that installs it', () => {
  expect(pipProblem('`python3 -m pip` could not be started: ENOENT')).toContain('apt-get install python3-pip');
  expect(pipProblem('failed\n/usr/bin/python3: No module named pip')).toContain('apt-get install python3-pip');
  const output =
    'failed (exit code 1)\nERROR: THESE PACKAGES DO NOT MATCH\n    Expected sha256 00\n         Got        11';
  expect(pipProblem(output)).toBe('ERROR: THESE PACKAGES DO NOT MATCH Expected sha256 00 Got        11');
});
