/** Gets a data set into the cache, from the first of its sources that has it. */
import { cachedPath, type DatasetUse, faultOf, isCached, writeWhole } from './cache.ts';
import { type DataFile, type DatasetSpec, filesOf } from './catalogue.ts';
import { DatasetUnavailableError } from './errors.ts';
import type { Source } from './sources/source.ts';

/**
 * Fills what is missing of the data set's folder under `dataDir`. Several processes may do so at once: each puts whole
 * files in place, and they are all the same.
 * @returns whether it was all there
 * @throws {DamagedFileError} when a file in the cache is truncated: it is named, and not replaced behind its owner's back.
 * @throws {DatasetUnavailableError} when no source has it, with what each said.
 */
export async function ensureDataset(dataset: DatasetSpec, dataDir: string): Promise<DatasetUse> {
  const missing: DataFile[] = [];
  for (const file of filesOf(dataset))
    if (!(await isCached(cachedPath(dataDir, dataset, file), file))) missing.push(file);
  if (missing.length === 0) return 'hit';

  const faults: string[] = [];
  for (const source of dataset.sources) {
    const fetched = await fetchAll(source, missing).catch((error: unknown) => {
      faults.push(`  ${source.name}: ${firstLine(error)}`);
    });
    if (!fetched) continue;
    for (const [file, bytes] of fetched) await writeWhole(cachedPath(dataDir, dataset, file), bytes);
    return 'miss';
  }
  const names = missing.map(({ name }) => name).join(', ');
  throw new DatasetUnavailableError(
    `data set ${dataset.name} could not be had:\n${faults.join('\n')}\n` +
      `Put ${names} (IDX, not compressed) into ${dataDir}/${dataset.name} by hand, or make one of these reachable.`,
  );
}

async function fetchAll(source: Source, files: readonly DataFile[]): Promise<readonly (readonly [DataFile, Buffer])[]> {
  return source.open(async (read) => {
    const fetched: (readonly [DataFile, Buffer])[] = [];
    for (const file of files) {
      const bytes = await read(file.name, file.bytes);
      const fault = faultOf(bytes, file);
      if (fault !== undefined) throw new Error(`${file.name} ${fault}`);
      fetched.push([file, bytes]);
    }
    return fetched;
  });
}

/** What to tell of an error from a command or a request, whose own message can run over many lines. */
function firstLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.message.split('\n', 1)[0]}${cause}`;
}
