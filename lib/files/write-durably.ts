/**
 * Writes files durably: a file is never incomplete, and once the call has returned, the file survives a power failure.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The mode of a new file by default. The umask of the process applies. */
const DEFAULT_MODE = 0o666;

const temporaryName = (path: string) => `${path}.${randomBytes(4).toString('hex')}.part`;

/**
 * Replaces the file at `path`: writes and syncs a temporary file in the same folder, renames the temporary file to
 * `path`, and syncs the folder. The folder must exist. Removes the temporary file if anything fails.
 */
export async function writeDurably(path: string, content: string | Uint8Array, mode = DEFAULT_MODE): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncPath(dirname(path));
}

/** The synchronous form of `writeDurably`. */
export function writeDurablySync(path: string, content: string | Uint8Array, mode = DEFAULT_MODE): void {
  const temporary = temporaryName(path);
  try {
    writeFileSync(temporary, content, { flag: 'wx', mode });
    moveDurablySync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Syncs a complete file, renames it and syncs the folder that it is moved to. Replaces the file at `to`. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await syncPath(from);
  await rename(from, to);
  await syncPath(dirname(to));
}

/** Does the same as `moveDurably` synchronously. */
export function moveDurablySync(from: string, to: string): void {
  syncPathSync(from);
  renameSync(from, to);
  syncPathSync(dirname(to));
}

/**
 * Syncs a file's content, or the names in a folder. A new or renamed file is durable only once its folder is synced.
 */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Does the same as `syncPath` synchronously. */
export function syncPathSync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
