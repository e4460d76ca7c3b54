import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from './common.mjs';

/**
 * A lock expires after this time, because a process cannot check whether an owner on another host or in another
 * container is still alive.
 */
const STALE_MS = 15 * 60_000;
const POLL_MS = 100;

/** @typedef {{pid: number, host: string}} LockOwner */

/**
 * Runs `work` while holding a lock file, so that concurrent setups take turns. Takes over a lock that has
 * expired or whose owner has ended.
 * @template T
 * @param {string} path
 * @param {(line: string) => void} log called once if the lock is held by another process
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(path, log, work) {
  mkdirSync(dirname(path), { recursive: true });
  let waiting = false;
  while (!acquire(path)) {
    const owner = read(path);
    if (owner === null) continue;
    if (isStale(path, owner)) {
      removeStale(path, owner);
      continue;
    }
    if (!waiting) log(`waiting for another setup (process ${owner.pid}) to finish`);
    waiting = true;
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/**
 * Creates the lock as a hard link to a complete file, so that no process reads an incomplete lock.
 * @param {string} path
 */
function acquire(path) {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, JSON.stringify({ pid: process.pid, host: hostname() }));
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/**
 * @param {string} path
 * @returns {LockOwner | null}
 */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/**
 * @param {string} path
 * @param {LockOwner} owner
 */
function isStale(path, owner) {
  const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  return age > STALE_MS || (owner.host === hostname() && !isAlive(owner.pid));
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/**
 * Removes a stale lock. Another process may have replaced the stale lock with its own lock in the meantime. The lock is
 * therefore renamed first, and restored if it has another owner.
 * @param {string} path
 * @param {LockOwner} deadOwner
 */
function removeStale(path, deadOwner) {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
    if (read(aside)?.pid !== deadOwner.pid) linkSync(aside, path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}
