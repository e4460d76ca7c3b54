/** Writes files and folders atomically: under a temporary name first, then renamed. */

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathProblem, requireFolder, shownPath } from '../../lib/files/folder.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { BadInputError, isDiskFull, TrawlError } from '../../proto/errors.ts';

/** Returns the error that the user sees. Its message contains the path that the user gave, never the temporary path. */
function cannot(path: string, error: unknown, temporary: string = path): Error {
  if (error instanceof TrawlError) return error;
  const failed = `--out: could not write ${shownPath(path)}`;
  if (isDiskFull(error)) return Object.assign(new Error(failed, { cause: error }), { code: DISK_FULL });
  const reason = pathProblem(error) ?? errorMessage(error).replaceAll(temporary, path);
  return new BadInputError(`${failed}: ${reason}`, { cause: error });
}

/** The error code of a full disk. The exit code of the command depends on it. */
const DISK_FULL = 'ENOSPC';

/** Deletes a temporary file or folder. Errors are ignored, because the caller reports an earlier error. */
async function discard(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/**
 * Calls `write` with a temporary path, and then renames the file at the temporary path to `path`. An existing file at
 * `path` is replaced.
 * @throws {BadInputError} when the file cannot be written, or `path` is something other than a file; an error with the
 * code ENOSPC when the disk is full
 */
export async function writeWholeFile(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const existing = await stat(path).catch(() => undefined);
  // A rename would replace a device such as /dev/null with a file.
  if (existing !== undefined && !existing.isFile()) {
    throw new BadInputError(
      `--out: ${shownPath(path)} is ${existing.isDirectory() ? 'a folder' : 'a device, pipe or socket'}, not a file`,
    );
  }
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await write(temporary);
    await rename(temporary, path);
  } catch (error) {
    await discard(temporary);
    throw cannot(path, error, temporary);
  }
}

/** Returns whether a folder contains only files of an earlier export, which can be deleted. */
export type EarlierExport = (dir: string, names: readonly string[]) => Promise<boolean>;

/** Returns the entries of a folder; undefined if the folder does not exist. */
async function entriesOf(dir: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw cannot(dir, error);
  }
}

/**
 * Calls `write` with a temporary folder, and renames this folder to `path`. An existing folder at `path` must be empty,
 * or contain only files of an earlier export, which are deleted one by one.
 * @throws {BadInputError} when the folder contains other files, or cannot be written; an error with the code ENOSPC
 * when the disk is full
 */
export async function writeWholeFolder(
  path: string,
  write: (temporary: string) => Promise<void>,
  isEarlier: EarlierExport = async () => false,
): Promise<void> {
  const dir = resolve(path);
  const before = await entriesOf(dir);
  if (before !== undefined && before.length > 0 && !(await isEarlier(dir, before))) {
    throw new BadInputError(`--out: ${path} is not empty; use a new or an empty folder`);
  }
  const beside = randomUUID();
  const temporary = `${dir}.${beside}.tmp`;
  try {
    requireFolder('--out', dirname(dir));
    await mkdir(temporary);
    await write(temporary);
    // rmdir fails if files were added to the empty folder in the meantime.
    if (before?.length === 0) await rmdir(dir);
    if (before === undefined || before.length === 0) await rename(temporary, dir);
    else await replace(dir, temporary, `${dir}.${beside}.old`, before);
  } catch (error) {
    await discard(temporary);
    throw cannot(path, error, temporary);
  }
}

async function replace(dir: string, by: string, aside: string, names: readonly string[]): Promise<void> {
  await rename(dir, aside);
  try {
    await rename(by, dir);
  } catch (error) {
    await rename(aside, dir);
    throw error;
  }
  for (const name of names) await unlink(join(aside, name));
  await rmdir(aside);
}
