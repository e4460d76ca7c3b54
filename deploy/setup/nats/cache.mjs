import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where trawl keeps programs that it fetched.
 * @param {NodeJS.ProcessEnv} env
 */
export function cacheBin(env) {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'trawl', 'bin');
}

/**
 * Fills the cache through a folder of its own, on the same file system, so that what appears under the final name is
 * whole, whoever else is at it or is killed half-way.
 * @param {string} bin of cacheBin
 * @param {(folder: string) => Promise<string>} fetch puts the program into the folder and returns its path
 * @returns {Promise<string>} the program's path in the cache
 */
export async function intoCache(bin, fetch) {
  mkdirSync(bin, { recursive: true });
  const folder = mkdtempSync(join(bin, '.fetch-'));
  try {
    const fetched = await fetch(folder);
    const ready = join(folder, 'ready');
    copyFileSync(fetched, ready);
    chmodSync(ready, 0o755);
    const path = join(bin, 'nats-server');
    renameSync(ready, path);
    return path;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
