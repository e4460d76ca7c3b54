/** What the cache holds, for `trawl doctor` and for the agent's metrics. */
import { stat } from 'node:fs/promises';
import { formatSize } from '../../lib/text/size.ts';
import { cachedPath, isCached, readVerified } from './cache.ts';
import { DATASETS, type DatasetName, type DatasetSpec, filesOf } from './catalogue.ts';
import { DamagedFileError } from './errors.ts';

export interface DatasetStatus {
  readonly name: DatasetName;
  /** `missing`: not fetched yet, or not all of it; it is fetched when a trial first asks. */
  readonly state: 'cached' | 'missing' | 'damaged';
  /** One line for a person; of a damaged set it says how to mend it. */
  readonly detail: string;
}

/** Checks every file of every data set in the cache by its checksum: some 0.2 s a set. */
export function datasetStatus(dataDir: string): Promise<readonly DatasetStatus[]> {
  return Promise.all(DATASETS.map((dataset) => statusOf(dataset, dataDir)));
}

/** Bytes of data sets in the cache, whole or not. */
export async function cachedBytes(dataDir: string): Promise<number> {
  const paths = DATASETS.flatMap((dataset) => filesOf(dataset).map((file) => cachedPath(dataDir, dataset, file)));
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path)
        .then(({ size }) => size)
        .catch(() => 0),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
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
