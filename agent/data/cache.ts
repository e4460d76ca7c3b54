/**
 * The cache of data sets: uncompressed IDX files at `<dataDir>/<data set>/<file>`. A file gets this name only when it
 * is complete. A file with this name is therefore never partial, even after a process is killed or after concurrent
 * writes.
 */

import { type FileHandle, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { sum } from 'd3-array';
import { checksumOfStream, sha256Of } from '../../lib/files/checksum.ts';
import { requireFolder } from '../../lib/files/folder.ts';
import { writeDurably } from '../../lib/files/write-durably.ts';
import { formatSize } from '../../lib/text/size.ts';
import { BadInputError } from '../../proto/errors.ts';
import { DATASETS, type DataFile, type DatasetName, type DatasetSpec, filesOf } from './catalog.ts';

/** Thrown when a file in the cache is truncated or altered. */
export class DamagedFileError extends BadInputError {}

/**
 * Returns the default cache folder: `$TRAWL_DATA`, or else `$XDG_CACHE_HOME/trawl/datasets`, or else
 * `~/.cache/trawl/datasets`.
 */
export function defaultDataDir(env: NodeJS.ProcessEnv): string {
  return env.TRAWL_DATA || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'trawl', 'datasets');
}

export function cachedPath(dataDir: string, dataset: DatasetSpec, file: DataFile): string {
  return join(dataDir, dataset.name, file.name);
}

/**
 * Returns whether the file exists in the cache. The content is not verified; see {@link readVerified}.
 * @throws {DamagedFileError} if the file has the wrong size
 */
export async function isCached(path: string, file: DataFile): Promise<boolean> {
  const found = await stat(path).catch(ignoreMissing);
  if (found === undefined) return false;
  if (found.size !== file.bytes) throw damaged(path, `has ${found.size} bytes, expected ${file.bytes}`);
  return true;
}

/**
 * Returns the bytes of a file in the cache.
 * @throws {DamagedFileError} when the size or the checksum is wrong
 */
export async function readVerified(path: string, file: DataFile): Promise<Buffer> {
  const bytes = await readFile(path);
  const problem = contentProblem(bytes, file);
  if (problem !== undefined) throw damaged(path, problem);
  return bytes;
}

/**
 * Verifies an open file without reading all of it into memory.
 * @throws {DamagedFileError} when the size or the checksum is wrong
 */
export async function verifyOpen(handle: FileHandle, path: string, file: DataFile): Promise<void> {
  const { size } = await handle.stat();
  if (size !== file.bytes) throw damaged(path, `has ${size} bytes, expected ${file.bytes}`);
  const { sha256 } = await checksumOfStream(handle.createReadStream({ start: 0, autoClose: false }));
  if (sha256 !== file.sha256) throw damaged(path, `has SHA-256 ${sha256}, expected ${file.sha256}`);
}

/** Returns the error in a file's content; undefined if the size and the checksum are right. */
export function contentProblem(bytes: Buffer, file: DataFile): string | undefined {
  if (bytes.length !== file.bytes) return `has ${bytes.length} bytes, expected ${file.bytes}`;
  const sha256 = sha256Of(bytes);
  return sha256 === file.sha256 ? undefined : `has SHA-256 ${sha256}, expected ${file.sha256}`;
}

/**
 * Writes a file durably and atomically. Readers see either the whole file or no file.
 * @throws {BadInputError} when the cache cannot be written
 */
export async function writeAtomically(path: string, bytes: Buffer): Promise<void> {
  requireFolder('the data set cache', dirname(path));
  await writeDurably(path, bytes);
}

function damaged(path: string, problem: string): DamagedFileError {
  return new DamagedFileError(`${path} ${problem}: the file is truncated or altered; delete it to fetch it again`);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}

export interface DatasetStatus {
  readonly name: DatasetName;
  /**
   * If a data set is `missing`, at least one of its files is not cached. A trial that uses the data set fetches the
   * files.
   */
  readonly state: 'cached' | 'missing' | 'damaged';
  /** The state of the data set in one line for the user. For a damaged data set, the line includes the remedy. */
  readonly detail: string;
}

/**
 * Returns the state of every data set. Verifies the checksum of each cached file, which takes about 0.2 s per data set.
 */
export function datasetStatus(dataDir: string): Promise<readonly DatasetStatus[]> {
  return Promise.all(DATASETS.map((dataset) => statusOf(dataset, dataDir)));
}

/** Returns the total size of the data sets in the cache, in bytes. */
export async function cachedBytes(dataDir: string): Promise<number> {
  const paths = DATASETS.flatMap((dataset) => filesOf(dataset).map((file) => cachedPath(dataDir, dataset, file)));
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path)
        .then(({ size }) => size)
        .catch(() => 0),
    ),
  );
  return sum(sizes);
}

async function statusOf(dataset: DatasetSpec, dataDir: string): Promise<DatasetStatus> {
  const { name } = dataset;
  const missing: string[] = [];
  let bytes = 0;
  try {
    for (const file of filesOf(dataset)) {
      const path = cachedPath(dataDir, dataset, file);
      if (await isCached(path, file)) bytes += (await readVerified(path, file)).length;
      else missing.push(file.name);
    }
  } catch (error) {
    if (!(error instanceof DamagedFileError)) throw error;
    return { name, state: 'damaged', detail: error.message };
  }
  if (missing.length > 0) return { name, state: 'missing', detail: `not in ${dataDir}: ${missing.join(', ')}` };
  return { name, state: 'cached', detail: `${formatSize(bytes)}, verified` };
}

/** `hit` if the trial's data set was in the cache; `miss` if the data set had to be fetched. */
export type DatasetUse = 'hit' | 'miss';

let listener: (use: DatasetUse) => void = () => {};

/**
 * Sets the function that this process calls for each use of a data set. In a worker, the function sends a message to
 * the supervisor.
 */
export function onDatasetUse(listen: (use: DatasetUse) => void): void {
  listener = listen;
}

export function countDatasetUse(use: DatasetUse): void {
  listener(use);
}
