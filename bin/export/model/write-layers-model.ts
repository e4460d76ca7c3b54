import { lstat, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SafetensorsFile } from '../../../lib/files/safetensors.ts';
import { trawlVersion } from '../../version.ts';
import { type EarlierExport, writeWholeFolder } from '../write-whole.ts';
import { layersModel, TOPOLOGY_FILE, WEIGHTS_FILE } from './layers-model.ts';

const GENERATED_BY = 'trawl';

/** Whether a folder holds a model that trawl wrote, and nothing else. */
const isEarlierModel: EarlierExport = async (dir, names) => {
  if (names.length !== 2 || !names.includes(TOPOLOGY_FILE) || !names.includes(WEIGHTS_FILE)) return false;
  for (const name of names) if (!(await lstat(join(dir, name))).isFile()) return false;
  try {
    const topology: unknown = JSON.parse(await readFile(join(dir, TOPOLOGY_FILE), 'utf8'));
    if (typeof topology !== 'object' || topology === null || !('generatedBy' in topology)) return false;
    return String(topology.generatedBy).startsWith(`${GENERATED_BY} `);
  } catch {
    return false;
  }
};

/**
 * Writes the model into the folder `out`, whole or not at all; a model that trawl wrote there before is replaced.
 * @throws {BadInputError} when the folder holds something else, or the file describes no network of dense layers
 */
export async function writeLayersModel(file: SafetensorsFile, out: string): Promise<void> {
  const { topology, weights } = layersModel(file, `${GENERATED_BY} ${trawlVersion()}`);
  const write = async (dir: string) => {
    await writeFile(join(dir, TOPOLOGY_FILE), `${JSON.stringify(topology, null, 2)}\n`);
    await writeFile(join(dir, WEIGHTS_FILE), weights);
  };
  await writeWholeFolder(out, write, isEarlierModel);
}
