import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Where every checkout of this user finds what was fetched and built: `libtensorflow` in trawl's cache.
 * @param {NodeJS.ProcessEnv} env
 */
export function libtensorflowCache(env) {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'trawl', 'libtensorflow');
}

const FILLING = '.filling-';
/** No filling takes as long. */
const LEFT_BEHIND_MS = 24 * 60 * 60_000;

/**
 * Removes what set-ups that were killed have left in a folder.
 * @param {string} folder
 * @param {number} now ms since the epoch
 */
export function removeLeftovers(folder, now) {
  for (const name of readdirSync(folder).filter((each) => each.startsWith(FILLING))) {
    const path = join(folder, name);
    if (now - statSync(path).mtimeMs > LEFT_BEHIND_MS) rmSync(path, { recursive: true });
  }
}

/**
 * A folder of the cache, filled if it is not there: in a folder of its own beside it that then takes the final name, so
 * that what has the name is whole, whoever is killed half-way.
 * @param {string} path
 * @param {(folder: string) => Promise<void>} fill
 * @returns {Promise<{path: string, made: boolean}>}
 */
export async function cachedFolder(path, fill) {
  if (existsSync(path)) return { path, made: false };
  mkdirSync(dirname(path), { recursive: true });
  const folder = mkdtempSync(join(dirname(path), FILLING));
  try {
    await fill(folder);
    renameSync(folder, path);
    return { path, made: true };
  } catch (error) {
    // Another set-up was quicker: what it made is as good.
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return { path, made: false };
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Why there is too little room, or null.
 * @param {string} folder that exists
 * @param {number} needed bytes
 * @returns {string | null}
 */
export function spaceProblem(folder, needed) {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const gib = (bytes) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return free >= needed ? null : `${folder} has ${gib(free)} free, and ${gib(needed)} are needed to unpack`;
}
