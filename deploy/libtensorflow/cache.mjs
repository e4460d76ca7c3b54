import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { codeOf, userCache } from '../setup/common.mjs';

/**
 * Returns the folder that holds the downloads and builds of all checkouts of this user.
 * @param {NodeJS.ProcessEnv} env
 */
export function libtensorflowCache(env) {
  return join(userCache(env), 'libtensorflow');
}

const TEMPORARY = '.filling-';
/** Temporary folders that are older than this are removed. No download or build takes this long. */
const LEFTOVER_AGE_MS = 24 * 60 * 60_000;

/**
 * Removes the temporary folders that killed setups left in a folder or in its subfolders. Searches one level of
 * subfolders.
 * @param {string} folder
 * @param {number} now ms since the epoch
 */
export function removeLeftovers(folder, now) {
  const paths = [folder, ...foldersIn(folder)].flatMap(foldersIn);
  for (const path of paths.filter((each) => basename(each).startsWith(TEMPORARY))) {
    const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now;
    if (now - modified > LEFTOVER_AGE_MS) rmSync(path, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder
 * @returns {string[]} the paths of the subfolders
 */
function foldersIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name));
}

/**
 * Returns a folder of the cache, and creates and fills it if it does not exist. The folder is filled under a temporary
 * name and then renamed, so that other processes never see an incomplete folder.
 * @param {string} path
 * @param {(folder: string) => Promise<void>} fill
 * @returns {Promise<{path: string, made: boolean}>}
 */
export async function cachedFolder(path, fill) {
  if (existsSync(path)) return { path, made: false };
  mkdirSync(dirname(path), { recursive: true });
  const folder = mkdtempSync(join(dirname(path), TEMPORARY));
  try {
    await fill(folder);
    renameSync(folder, path);
    return { path, made: true };
  } catch (error) {
    // These errors mean that another setup has filled the same folder in the meantime.
    if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) return { path, made: false };
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Returns a message if a file system has too little free space, otherwise null.
 * @param {string} folder an existing folder on the file system
 * @param {number} needed the required free space, in bytes
 * @returns {string | null}
 */
export function spaceProblem(folder, needed) {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  /** @param {number} bytes */
  const gib = (bytes) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return free >= needed ? null : `${folder} has ${gib(free)} free; unpacking needs ${gib(needed)}`;
}
