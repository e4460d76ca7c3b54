/**
 * The cache of data sets: `<dataDir>/<data set>/<file>`, decoded IDX. A file under its own name is whole, whatever
 * process was killed while it was written, and however many wrote it at once.
 */
import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DataFile, DatasetSpec } from './catalogue.ts';
import { DamagedFileError } from './errors.ts';

/** `$TRAWL_DATA`, else `$XDG_CACHE_HOME/trawl/datasets`, else `~/.cache/trawl/datasets`. */
export function defaultDataDir(env: NodeJS.ProcessEnv): string {
  return env.TRAWL_DATA || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'trawl', 'datasets');
}

export function cachedPath(dataDir: string, dataset: DatasetSpec, file: DataFile): string {
  return join(dataDir, dataset.name, file.name);
}

/** Whether the file is there and has its size; its content is checked by {@link readVerified}. */
export async function isCached(path: string, file: DataFile): Promise<boolean> {
  const found = await stat(path).catch(ignoreMissing);
  if (found === undefined) return false;
  if (found.size !== file.bytes) throw damaged(path, `has ${found.size} bytes, expected ${file.bytes}`);
  return true;
}

/** The file's bytes. @throws {DamagedFileError} when they are not the data set's. */
export async function readVerified(path: string, file: DataFile): Promise<Buffer> {
  const bytes = await readFile(path);
  const fault = faultOf(bytes, file);
  if (fault !== undefined) throw damaged(path, fault);
  return bytes;
}

/** The same for a file that is open, which is not taken into memory. @throws {DamagedFileError} */
export async function verifyOpen(handle: FileHandle, path: string, file: DataFile): Promise<void> {
  const { size } = await handle.stat();
  if (size !== file.bytes) throw damaged(path, `has ${size} bytes, expected ${file.bytes}`);
  const hash = createHash('sha256');
  for await (const piece of handle.createReadStream({ start: 0, autoClose: false })) hash.update(piece);
  const sha256 = hash.digest('hex');
  if (sha256 !== file.sha256) throw damaged(path, `has SHA-256 ${sha256}, expected ${file.sha256}`);
}

/** What is wrong with a file's content; undefined when it is the one that was expected. */
export function faultOf(bytes: Buffer, file: DataFile): string | undefined {
  if (bytes.length !== file.bytes) return `has ${bytes.length} bytes, expected ${file.bytes}`;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return sha256 === file.sha256 ? undefined : `has SHA-256 ${sha256}, expected ${file.sha256}`;
}

/** Puts a file in place, durably and at once: readers see all of it or nothing. */
export async function writeWhole(path: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}.part`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

function damaged(path: string, fault: string): DamagedFileError {
  return new DamagedFileError(`${path} ${fault}: truncated or altered. Delete it, and it is fetched again.`);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/** Whether a trial found its data set in the cache (`hit`) or it had to be fetched (`miss`). */
export type DatasetUse = 'hit' | 'miss';

let listener: (use: DatasetUse) => void = () => {};

/** Sets the listener of this process. A worker uses it to report to its supervisor. */
export function onDatasetUse(listen: (use: DatasetUse) => void): void {
  listener = listen;
}

export function countDatasetUse(use: DatasetUse): void {
  listener(use);
}
