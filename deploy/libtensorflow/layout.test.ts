import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { libraryLayout, linkDeps } from './layout.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trawl-layout-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function given(...files: string[]): string {
  for (const file of files) {
    mkdirSync(dirname(join(folder, 'given', file)), { recursive: true });
    writeFileSync(join(folder, 'given', file), file);
  }
  return join(folder, 'given');
}

test('the layouts of a release, of a wheel and of an installed Python package are recognized', () => {
  const release = given(
    'lib/libtensorflow.so.2',
    'lib/libtensorflow_framework.so.2',
    'include/tensorflow/c/c_api.h',
    'tensorflow/libtensorflow_cc.so.2',
    'tensorflow/libtensorflow_framework.so.2',
    'tensorflow/include/tensorflow/c/c_api.h',
  );
  expect(libraryLayout(release)).toMatchObject({ lib: join(release, 'lib'), main: 'libtensorflow.so.2' });
  rmSync(join(release, 'lib'), { recursive: true });
  const installed = join(release, 'tensorflow');
  expect(libraryLayout(release)).toMatchObject({ lib: installed, main: 'libtensorflow_cc.so.2' });
  expect(libraryLayout(installed)).toMatchObject({ lib: installed, include: join(installed, 'include') });
});

test('a folder without headers or without a library is rejected, and the error lists the expected files', () => {
  const half = given('lib/libtensorflow.so.2', 'lib/libtensorflow_framework.so.2');
  expect(() => libraryLayout(half)).toThrow(/has no libtensorflow: expected lib\/libtensorflow\.so\.2.*c_api\.h/);
});

test('the folder "deps" has the libraries under the names that the build links against, and the external headers of the release', () => {
  const release = given(
    'lib/libtensorflow.so.2',
    'lib/libtensorflow_framework.so.2',
    'include/tensorflow/c/c_api.h',
    'include/external/local_tsl/tsl/status.h',
  );
  const deps = join(folder, 'deps');
  linkDeps(libraryLayout(release), deps);
  expect(readdirSync(join(deps, 'lib')).sort()).toEqual([
    'libtensorflow.so',
    'libtensorflow.so.2',
    'libtensorflow_framework.so',
    'libtensorflow_framework.so.2',
  ]);
  expect(readFileSync(join(deps, 'lib/libtensorflow.so'), 'utf8')).toBe('lib/libtensorflow.so.2');
  expect(readFileSync(join(deps, 'include/tensorflow/c/c_api.h'), 'utf8')).toContain('c_api.h');
  expect(readFileSync(join(deps, 'include/tsl/status.h'), 'utf8')).toContain('status.h');
});
