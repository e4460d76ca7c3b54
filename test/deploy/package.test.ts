/** The files of the published npm package. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';

const ROOT = packageRoot();
const DEVELOPMENT_FILE = /\.(test|fixture)\.|(^|\/)(bench|test|testing|fixtures)\//;

/**
 * Returns whether the source file of a file in dist/ exists. If the source file was deleted, the file in dist/ is from
 * an old build. A bundle has no single source file, and is always accepted.
 */
function hasSource(file: string): boolean {
  if (file.startsWith('dist/bundle/')) return true;
  const source = file.replace(/^dist\//, '').replace(/\.(js|mjs)(\.map)?$/, '');
  return ['.ts', '.tsx', '.mjs', '.mts'].some((extension) => existsSync(join(ROOT, `${source}${extension}`)));
}

function packedFiles(): string[] {
  const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], options);
  const [packed] = JSON.parse(output) as { files: { path: string }[] }[];
  return (packed?.files ?? [])
    .map(({ path }) => path)
    .filter((file) => !file.startsWith('dist/') || !/\.(js|mjs)(\.map)?$/.test(file) || hasSource(file));
}

const files = packedFiles();

test('the npm package contains the command, the coordinator, the agent, the worker and the protocol', () => {
  expect(files).toEqual(
    expect.arrayContaining([
      'bin/trawl.mjs',
      'dist/bin/main.js',
      'dist/coordinator/main.js',
      'dist/agent/main.js',
      'dist/agent/worker/main.js',
      'proto/trawl/v1/attempt_service.proto',
    ]),
  );
});

test('the npm package contains no test, fixture, benchmark or test scaffolding', () => {
  expect(files.filter((file) => DEVELOPMENT_FILE.test(file))).toEqual([]);
});

test('no file of the npm package imports a development dependency', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  const names = Object.keys(devDependencies).filter((name) => !name.startsWith('@types/'));
  const imports = files
    .filter((file) => file.startsWith('dist/') && file.endsWith('.js'))
    .flatMap((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8');
      return names.filter((name) => text.includes(`from '${name}'`)).map((name) => `${file}: ${name}`);
    });
  expect(imports).toEqual([]);
});
