import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import fc from 'fast-check';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import {
  folderProblem,
  MAX_FOLDER_PATH,
  pathProblem,
  requireExistingFolder,
  requireFolder,
  shownPath,
} from './folder.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-folder-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'file'), '');
  symlinkSync(join(dir, 'loop'), join(dir, 'loop'));
});

test('a new folder is created with its parents, and an existing folder is kept', () => {
  const folder = join(dir, 'a', 'b', 'c');
  expect(folderProblem(folder)).toBeUndefined();
  expect(existsSync(folder)).toBe(false);
  expect(requireFolder('--dir', relative(process.cwd(), folder))).toBe(folder);
  writeFileSync(join(folder, 'kept'), 'x');
  expect(requireFolder('--dir', `${folder}/`)).toBe(folder);
  expect(existsSync(join(folder, 'kept'))).toBe(true);
});

test('new folders get the requested mode, and existing folders keep their mode', () => {
  mkdirSync(join(dir, 'old'));
  chmodSync(join(dir, 'old'), 0o755);
  requireFolder('--dir', join(dir, 'old', 'new'), 0o700);
  expect(statSync(join(dir, 'old')).mode & 0o777).toBe(0o755);
  expect(statSync(join(dir, 'old', 'new')).mode & 0o777).toBe(0o700);
});

test.each([
  ['', /--dir "" cannot be used: the path is empty$/],
  ['file', /cannot be used: \/.*file is a file$/],
  ['file/below/deeper', /cannot be used: \/.*file is a file$/],
  ['loop', /too many symbolic links/],
  ['x'.repeat(256), /a name in the path is too long/],
  ['x/'.repeat(MAX_FOLDER_PATH / 2), /the path is too long \(\d+ bytes, at most 2048\)/],
])('the folder %j is rejected with an error of one sentence, and nothing is created', (name, message) => {
  const path = name === '' ? '' : join(dir, name);
  const before = statSync(dir).mtimeMs;
  expect(() => requireFolder('--dir', path)).toThrow(BadInputError);
  expect(() => requireFolder('--dir', path)).toThrow(message);
  expect(folderProblem(path)).toBeDefined();
  expect(statSync(dir).mtimeMs).toBe(before);
});

test
  .runIf(process.platform === 'linux')
  .each(['/proc/x', '/proc/self/x/y', '/sys/x', '/dev/null', '/dev/null/x', '/dev/pts/x'])(
  'the folder %s is rejected at once',
  (path) => {
    expect(() => requireFolder('--dir', path)).toThrow(
      /^--dir \S+ cannot be used: .*(file system, which stores no files|is not a folder)$/,
    );
  },
);

test('a folder that must already exist is not created', () => {
  expect(() => requireExistingFolder('--workdir', join(dir, 'none'))).toThrow(/no such file or folder/);
  expect(() => requireExistingFolder('--workdir', join(dir, 'file'))).toThrow(/is not a folder/);
  expect(() => requireExistingFolder('--workdir', '')).toThrow(/--workdir "" cannot be used: the path is empty/);
  expect(() => requireExistingFolder('--workdir', dir)).not.toThrow();
  expect(existsSync(join(dir, 'none'))).toBe(false);
});

test('pathProblem returns a reason only for an error about a path', () => {
  expect(pathProblem(Object.assign(new Error('x'), { code: 'EROFS' }))).toBe('the file system is read-only');
  expect(pathProblem(Object.assign(new Error('x'), { code: 'ENOSPC' }))).toBeUndefined();
  expect(pathProblem(new Error('x'))).toBeUndefined();
  expect(pathProblem('EROFS')).toBeUndefined();
});

test('a long path is shortened in messages, and a short path is shown whole', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 600 }), (path) => {
      const shown = shownPath(path);
      expect(shown.length).toBeLessThanOrEqual(201);
      if (path.length <= 200) expect(shown).toBe(path);
      else expect([shown.slice(0, 100), shown.slice(-100)]).toEqual([path.slice(0, 100), path.slice(-100)]);
    }),
  );
});

test('the path of a folder is resolved to an absolute path', () => {
  expect(requireFolder('--dir', resolve('/tmp/..', 'tmp'))).toBe('/tmp');
});
