/** Fetches a data set into the cache, from the first source that has the data set. */
import { checkFolder } from '../../lib/files/folder.ts';
import { UnreachableError } from '../../proto/errors.ts';
import { cachedPath, contentProblem, type DatasetUse, isCached, writeAtomically } from './cache.ts';
import { type DataFile, type DatasetSpec, filesOf } from './catalog.ts';
import type { DatasetSource } from './sources.ts';

class DatasetUnavailableError extends UnreachableError {}

/**
 * Fetches the missing files of a data set. Several processes can fetch a data set at the same time: all of them write
 * identical files, and each file is written atomically.
 * @returns `hit` when no file was missing, and otherwise `miss`
 * @throws {DamagedFileError} when a file in the cache has the wrong size; such files are never replaced silently
 * @throws {BadInputError} when files are missing and the cache cannot be written
 * @throws {DatasetUnavailableError} when no source has the data set; the message contains the error of each source
 */
export async function ensureDataset(dataset: DatasetSpec, dataDir: string): Promise<DatasetUse> {
  const missing: DataFile[] = [];
  for (const file of filesOf(dataset))
    if (!(await isCached(cachedPath(dataDir, dataset, file), file))) missing.push(file);
  if (missing.length === 0) return 'hit';
  checkFolder('the data set cache', dataDir);

  const problems: string[] = [];
  for (const source of dataset.sources) {
    const fetched = await fetchAll(source, missing).catch((error: unknown) => {
      problems.push(`  ${source.name}: ${firstLine(error)}`);
    });
    if (!fetched) continue;
    for (const [file, bytes] of fetched) await writeAtomically(cachedPath(dataDir, dataset, file), bytes);
    return 'miss';
  }
  const names = missing.map(({ name }) => name).join(', ');
  throw new DatasetUnavailableError(
    `could not fetch the data set ${dataset.name}:\n${problems.join('\n')}\n` +
      `Make one of these sources reachable, or copy ${names} (uncompressed IDX) into ${dataDir}/${dataset.name}.`,
  );
}

async function fetchAll(
  source: DatasetSource,
  files: readonly DataFile[],
): Promise<readonly (readonly [DataFile, Buffer])[]> {
  return source.open(async (read) => {
    const fetched: (readonly [DataFile, Buffer])[] = [];
    for (const file of files) {
      const bytes = await read(file.name, file.bytes);
      const problem = contentProblem(bytes, file);
      if (problem !== undefined) throw new Error(`${file.name} ${problem}`);
      fetched.push([file, bytes]);
    }
    return fetched;
  });
}

function firstLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.message.split('\n', 1)[0]}${cause}`;
}
