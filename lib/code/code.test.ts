import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { create } from 'tar';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listCode, packCode, unpackCode } from './archive.ts';
import { gitFacts } from './git.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-code-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string>>, root = join(dir, 'code')): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

describe('an archive of code', () => {
  test('comes out as it went in: content, execute permission, links and names in any script', async () => {
    const code = write({
      'train.py': 'print(1)\n',
      'pkg/größe.py': 'x',
      '.hidden/config': 'y',
      'run.sh': '#!/bin/sh\n',
    });
    chmodSync(join(code, 'run.sh'), 0o755);
    symlinkSync('train.py', join(code, 'main.py'));
    const files = await listCode(code);
    expect(files.paths).toEqual(['.hidden/config', 'main.py', 'pkg/größe.py', 'run.sh', 'train.py']);
    await packCode(files, join(dir, 'code.tgz'));
    await unpackCode(join(dir, 'code.tgz'), join(dir, 'out'));
    expect((await listCode(join(dir, 'out'))).hash).toBe(files.hash);
    expect(readFileSync(join(dir, 'out', 'main.py'), 'utf8')).toBe('print(1)\n');
    expect(statSync(join(dir, 'out', 'run.sh')).mode & 0o111).not.toBe(0);
  });

  test('leaves out what .gitignore and exclude name, and caches', async () => {
    const code = write({
      '.gitignore': 'data/\n*.log\n',
      'data/big.bin': 'x',
      'sub/a.log': 'x',
      'sub/keep.py': 'x',
      '__pycache__/a.pyc': 'x',
      '.git/HEAD': 'x',
      'notes/n.md': 'x',
    });
    expect((await listCode(code, { exclude: ['notes/**'] })).paths).toEqual(['.gitignore', 'sub/keep.py']);
  });

  test('has an identity that depends on content, names and permissions, and not on times', async () => {
    const code = write({ a: '1', b: '2' });
    const { hash } = await listCode(code);
    expect((await listCode(write({ a: '1', b: '2' }, join(dir, 'copy')))).hash).toBe(hash);
    chmodSync(join(code, 'a'), 0o755);
    expect((await listCode(code)).hash).not.toBe(hash);
    expect((await listCode(write({ a: '12', b: '' }, join(dir, 'other')))).hash).not.toBe(hash);
  });

  test('over the limit names the largest files and what to do', async () => {
    const code = write({ 'data/train.bin': 'x'.repeat(2_000_000), 'train.py': 'x' });
    await expect(listCode(code, { maxBytes: 1 << 20 })).rejects.toThrow(
      /1\.9 MiB of files.*data\/train\.bin.*exclude/s,
    );
  });

  test('a missing or empty folder is an error', async () => {
    await expect(listCode(join(dir, 'missing'))).rejects.toThrow('is not a folder');
    mkdirSync(join(dir, 'empty'));
    await expect(listCode(join(dir, 'empty'))).rejects.toThrow('holds no files');
  });

  test('an entry that would land outside the folder is not written', async () => {
    write({ 'inner/file': 'x', outside: 'evil' }, join(dir, 'bad'));
    await create({ cwd: join(dir, 'bad', 'inner'), file: join(dir, 'bad.tgz'), gzip: true, preservePaths: true }, [
      '../outside',
      'file',
    ]);
    await unpackCode(join(dir, 'bad.tgz'), join(dir, 'deep', 'out')).catch(() => {});
    expect(existsSync(join(dir, 'deep', 'outside'))).toBe(false);
  });
});

describe('facts from git', () => {
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: join(dir, 'code') });

  test('are the commit, its remote without credentials, and the diff of uncommitted changes', async () => {
    write({ 'train.py': 'one\n' });
    git('init', '-q');
    git('add', '.');
    git('commit', '-qm', 'first');
    git('remote', 'add', 'origin', 'https://me:secret@host/repo.git');
    expect(await gitFacts(join(dir, 'code'))).toMatchObject({
      dirty: false,
      diff: '',
      remote: 'https://host/repo.git',
    });
    write({ 'train.py': 'two\n' });
    const facts = await gitFacts(join(dir, 'code'));
    expect(facts?.commit).toMatch(/^[0-9a-f]{40}$/);
    expect(facts?.dirty).toBe(true);
    expect(facts?.diff).toContain('-one\n+two');
    expect((await gitFacts(join(dir, 'code'), false))?.diff).toBe('');
  });

  test('are absent outside a repository', async () => {
    write({ a: '1' });
    expect(await gitFacts(join(dir, 'code'))).toBeUndefined();
  });
});
