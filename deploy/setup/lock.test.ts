import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from './lock.mjs';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trawl-lock-'));
  path = join(folder, 'deep', 'set-up.lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const silent = () => {};

test('tasks that need the same lock never run at the same time, and the lock leaves no files', async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside++;
    most = Math.max(most, inside);
    await sleep(20);
    inside--;
  };
  await Promise.all([1, 2, 3].map(() => withLock(path, silent, work)));
  expect(most).toBe(1);
  expect(readdirSync(join(folder, 'deep'))).toEqual([]);
});

test('a lock is released if the task that holds the lock fails', async () => {
  await expect(withLock(path, silent, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(existsSync(path)).toBe(false);
});

test('the lock of a dead process is taken over', async () => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  await withLock(path, silent, async () => {});
  writeFileSync(path, JSON.stringify({ pid: dead, host: hostname() }));
  expect(await withLock(path, silent, async () => 'mine')).toBe('mine');
});

test('a lock that another machine holds is respected until the lock is stale', async () => {
  await withLock(path, silent, async () => {});
  writeFileSync(path, JSON.stringify({ pid: 1, host: 'other-host' }));
  const lines: string[] = [];
  let done = false;
  const mine = withLock(
    path,
    (line) => lines.push(line),
    async () => {
      done = true;
    },
  );
  await sleep(300);
  expect(done).toBe(false);
  expect(lines).toEqual(['waiting for another setup (process 1) to finish']);
  utimesSync(path, new Date(0), new Date(0));
  await mine;
  expect(done).toBe(true);
});
