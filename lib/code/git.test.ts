import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { gitFacts, limitedDiff } from './git.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-git-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: dir, encoding: 'utf8' }).trim();

function commit(): string {
  git('init', '-q', '-b', 'main');
  writeFileSync(join(dir, 'train.py'), 'one\n');
  git('add', '.');
  git('commit', '-qm', 'first');
  return git('rev-parse', 'HEAD');
}

test('the commit, branch and remote of the code are recorded, without credentials', async () => {
  const head = commit();
  git('remote', 'add', 'origin', 'https://me:secret@host/repo.git');
  expect(await gitFacts(dir, true)).toEqual({
    state: {
      commit: head,
      branch: 'main',
      remote: 'https://host/repo.git',
      dirty: false,
      untracked: [],
      untrackedCount: 0,
      missing: '',
    },
    diff: '',
  });
});

test('the diff has staged and unstaged changes of tracked files, and untracked files are listed', async () => {
  commit();
  writeFileSync(join(dir, 'train.py'), 'two\n');
  git('add', '.');
  writeFileSync(join(dir, 'train.py'), 'three\n');
  writeFileSync(join(dir, 'ünew.py'), 'x');
  const { state, diff } = await gitFacts(dir, true);
  expect(state).toMatchObject({ dirty: true, untracked: ['ünew.py'], untrackedCount: 1 });
  expect(diff).toContain('-one\n+three\n');
  expect((await gitFacts(dir, false)).diff).toBe('');
});

test('changes outside the code folder do not count as uncommitted changes', async () => {
  commit();
  mkdirSync(join(dir, 'sub'));
  writeFileSync(join(dir, 'sub', 'a.py'), 'a\n');
  git('add', '.');
  git('commit', '-qm', 'second');
  writeFileSync(join(dir, 'train.py'), 'changed\n');
  expect((await gitFacts(join(dir, 'sub'), true)).state).toMatchObject({ dirty: false, untrackedCount: 0 });
});

test('if no commit can be recorded for a code folder, the reason is recorded', async () => {
  expect((await gitFacts(dir, true)).state).toMatchObject({
    commit: '',
    missing: 'the folder is not in a git repository',
  });
  git('init', '-q');
  expect((await gitFacts(dir, true)).state.missing).toBe('the repository has no commit yet');
  vi.stubEnv('PATH', '/nowhere');
  expect((await gitFacts(dir, true)).state.missing).toBe('git is not installed');
});

test('a program in the configuration of git is not run', async () => {
  commit();
  git('config', 'diff.external', `touch ${join(dir, 'ran')} #`);
  git('config', 'core.fsmonitor', `touch ${join(dir, 'ran')} #`);
  writeFileSync(join(dir, 'train.py'), 'two\n');
  const { diff, state } = await gitFacts(dir, true);
  expect(diff).toContain('+two');
  expect(state.untracked).toEqual([]);
});

test('a long diff is truncated at the end of a line, with a notice', async () => {
  commit();
  writeFileSync(join(dir, 'train.py'), 'ü line of text\n'.repeat(100_000));
  const { diff } = await gitFacts(dir, true);
  expect(Buffer.byteLength(diff)).toBeLessThanOrEqual(1_000_000);
  expect(diff).toMatch(/\n\+ü line of text\n\[trawl\] the diff is cut here: it has over 976\.6 KiB\n$/);
  expect(limitedDiff('short\n')).toBe('short\n');
});
