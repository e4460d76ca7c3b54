/** What an export leaves is whole or not there: it is written beside its place, and moved. */

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errorMessage } from '../../lib/text/error-message.ts';
import { BadInputError, TrawlError } from '../../proto/errors.ts';

function cannot(path: string, error: unknown): Error {
  if (error instanceof TrawlError) return error;
  return new BadInputError(`--out: ${path} cannot be written: ${errorMessage(error)}`);
}

/** Takes away what was begun. Where even that fails, as in no folder at all, the first error is the one to tell. */
async function discard(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/**
 * Replaces the file at `path` by what `write` writes to the path that it is given.
 * @throws {BadInputError} when it cannot be written; and whatever TrawlError `write` throws
 */
export async function writeWholeFile(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await write(temporary);
    await rename(temporary, path);
  } catch (error) {
    await discard(temporary);
    throw cannot(path, error);
  }
}

/** Whether all that a folder holds, named in `names`, is what an earlier export wrote: plain files that may go. */
export type EarlierExport = (dir: string, names: readonly string[]) => Promise<boolean>;

/** The entries of a folder; undefined where none is. */
async function entriesOf(dir: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw cannot(dir, error);
  }
}

/**
 * Makes the folder `path`, with what `write` writes into the folder that it is given. A folder that is there must be
 * empty, or hold files of an earlier export and nothing else; those alone are removed, one by one.
 * @throws {BadInputError} when something else is there or it cannot be written; and whatever TrawlError `write` throws
 */
export async function writeWholeFolder(
  path: string,
  write: (temporary: string) => Promise<void>,
  isEarlier: EarlierExport = async () => false,
): Promise<void> {
  const dir = resolve(path);
  const before = await entriesOf(dir);
  if (before !== undefined && before.length > 0 && !(await isEarlier(dir, before))) {
    throw new BadInputError(`--out: ${path} is not empty; name a folder that is empty or not there yet`);
  }
  const beside = randomUUID();
  const temporary = `${dir}.${beside}.tmp`;
  try {
    await mkdir(temporary, { recursive: true });
    await write(temporary);
    // Whatever came into an empty folder meanwhile keeps rmdir from removing it.
    if (before?.length === 0) await rmdir(dir);
    if (before === undefined || before.length === 0) await rename(temporary, dir);
    else await replace(dir, temporary, `${dir}.${beside}.old`, before);
  } catch (error) {
    await discard(temporary);
    throw cannot(path, error);
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
