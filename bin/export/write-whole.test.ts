import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BadInputError, EXIT_CANNOT_WRITE, UnreachableError } from '../../proto/errors.ts';
import { reportFailure } from '../failure.ts';
import { writeWholeFile, writeWholeFolder } from './write-whole.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-whole-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const one = (text: string) => (folder: string) => writeFile(join(folder, 'one'), text);

test('a file is replaced only after a complete write', async () => {
  const path = join(dir, 'f');
  await writeWholeFile(path, (temporary) => writeFile(temporary, 'first'));
  const lost = new UnreachableError('lost the connection to the coordinator');
  const cut = writeWholeFile(path, async (temporary) => {
    await writeFile(temporary, 'sec');
    throw lost;
  });
  await expect(cut).rejects.toBe(lost);
  expect(await readFile(path, 'utf8')).toBe('first');
  expect(await readdir(dir)).toEqual(['f']);
  const nowhere = writeWholeFile(join(dir, 'no', 'f'), (temporary) => writeFile(temporary, ''));
  await expect(nowhere).rejects.toThrow(/^--out: could not write .*no\/f: no such file or folder$/);
  const inFile = writeWholeFile(join(path, 'f'), (temporary) => writeFile(temporary, ''));
  await expect(inFile).rejects.toThrow(/^--out: could not write .*f\/f: a part of the path is not a folder$/);
});

test('a folder is created with its parents, or replaces an empty folder', async () => {
  await writeWholeFolder(join(dir, 'a', 'b'), one('new'));
  await mkdir(join(dir, 'empty'));
  await writeWholeFolder(`${join(dir, 'empty')}/`, one('new'));
  for (const path of ['a/b/one', 'empty/one']) expect(await readFile(join(dir, path), 'utf8')).toBe('new');
  expect((await readdir(dir)).sort()).toEqual(['a', 'empty']);
});

test('a folder with other files is rejected and left unchanged', async () => {
  await one('mine')(dir);
  const rejected = writeWholeFolder(dir, one('new'));
  await expect(rejected).rejects.toThrow(BadInputError);
  await expect(rejected).rejects.toThrow(/is not empty/);
  await expect(writeWholeFolder(join(dir, 'one'), one('new'))).rejects.toThrow(
    /^--out: could not write .*one: a part of the path is not a folder$/,
  );
  expect(await readFile(join(dir, 'one'), 'utf8')).toBe('mine');
  expect(await readdir(dir)).toEqual(['one']);
});

test('a failed write leaves no folder behind', async () => {
  const lost = new UnreachableError('lost the connection to the coordinator');
  const cut = writeWholeFolder(join(dir, 'runs'), async (folder) => {
    await one('half')(folder);
    throw lost;
  });
  await expect(cut).rejects.toBe(lost);
  expect(await readdir(dir)).toEqual([]);
});

test('a new export replaces an earlier export only after a complete write', async () => {
  const path = join(dir, 'model');
  const isEarlier = async (_: string, names: readonly string[]) => names.every((name) => name === 'one');
  await writeWholeFolder(path, one('first'), isEarlier);
  const failed = writeWholeFolder(path, () => Promise.reject(new Error('full')), isEarlier);
  await expect(failed).rejects.toThrow(/full/);
  expect(await readFile(join(path, 'one'), 'utf8')).toBe('first');
  await writeWholeFolder(path, one('second'), isEarlier);
  expect(await readFile(join(path, 'one'), 'utf8')).toBe('second');
  await writeFile(join(path, 'notes'), 'mine');
  await expect(writeWholeFolder(path, one('third'), isEarlier)).rejects.toThrow(/is not empty/);
  expect(await readdir(dir)).toEqual(['model']);
  expect((await readdir(path)).sort()).toEqual(['notes', 'one']);
});

test('a pipe or a folder is never replaced by a file', async () => {
  const pipe = join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, dir]) {
    const before = (await stat(path)).mode;
    const write = writeWholeFile(path, (temporary) => writeFile(temporary, 'new'));
    await expect(write).rejects.toThrow(/^--out: .* is a (device, pipe or socket|folder), not a file$/);
    expect((await stat(path)).mode).toBe(before);
  }
});

test('an error names the requested file or folder, never the temporary file', async () => {
  const fails = (reason: string, code?: string) => async (temporary: string) => {
    throw Object.assign(new Error(`${reason}, write '${temporary}'`), { code });
  };
  for (const whole of [writeWholeFile, writeWholeFolder]) {
    const path = join(dir, 'results');
    await expect(whole(path, fails('damaged'))).rejects.toThrow(
      `--out: could not write ${path}: damaged, write '${path}'`,
    );
    await expect(whole(path, fails('EACCES', 'EACCES'))).rejects.toThrow(
      `--out: could not write ${path}: permission denied`,
    );
    const full = await whole(path, fails('ENOSPC', 'ENOSPC')).catch((error: unknown) => error);
    expect(reportFailure(full, false)).toEqual({
      exitCode: EXIT_CANNOT_WRITE,
      text: `trawl: the disk is full: --out: could not write ${path}; free some space and retry\n`,
    });
  }
  expect(await readdir(dir)).toEqual([]);
});
