/** Stores a trainer's artifacts in the attempt's folder, durably and with their checksums. */

import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { checksumOfFile, sha256Of } from '../../lib/files/checksum.ts';
import { moveDurably, writeDurably } from '../../lib/files/write-durably.ts';
import { BadInputError } from '../../proto/errors.ts';
import { artifactNameProblem, MAX_ARTIFACT_BYTES, MAX_ARTIFACTS } from '../../proto/limits.ts';
import { keptFile } from '../folders.ts';
import type { TrainingRun } from '../trainers/trainer.ts';
import type { KeptFile } from './ipc.ts';

/**
 * Returns the `keep` function of a training run.
 * @param folder the attempt's folder
 * @param announce called when an artifact is durable and survives the death of the worker
 */
export function artifactKeeper(folder: string, announce: (file: KeptFile) => void): TrainingRun['keep'] {
  const names = new Set<string>();
  const folders = new Set<string>();
  return async (artifact, content) => {
    // All checks come first, so that a rejected file is not moved.
    const bytes = content instanceof Uint8Array ? content.byteLength : (await stat(content.path)).size;
    const problem = nameProblem(artifact.name, names, folders) ?? limitProblem(bytes, names.size);
    if (problem !== undefined)
      throw new BadInputError(`${JSON.stringify(artifact.name)} cannot be an artifact: ${problem}`);
    names.add(artifact.name);
    for (const above of foldersOf(artifact.name)) folders.add(above);
    const path = keptFile(folder, artifact.name);
    await mkdir(dirname(path), { recursive: true });
    if (content instanceof Uint8Array) await writeDurably(path, content);
    else await moveDurably(content.path, path);
    const { size, sha256 } =
      content instanceof Uint8Array ? { size: bytes, sha256: sha256Of(content) } : await checksumOfFile(path);
    announce({ ...artifact, size, sha256 });
  };
}

function nameProblem(name: string, names: ReadonlySet<string>, folders: ReadonlySet<string>): string | undefined {
  const wrong = artifactNameProblem(name);
  if (wrong !== undefined) return wrong;
  if (names.has(name)) return 'the attempt already has an artifact with this name';
  const file = foldersOf(name).find((above) => names.has(above)) ?? (folders.has(name) ? name : undefined);
  return file === undefined ? undefined : `${JSON.stringify(file)} cannot be both a file and a folder`;
}

function limitProblem(bytes: number, kept: number): string | undefined {
  if (bytes > MAX_ARTIFACT_BYTES) return `it has ${bytes} bytes; expected at most ${MAX_ARTIFACT_BYTES}`;
  return kept >= MAX_ARTIFACTS ? `an attempt may have up to ${MAX_ARTIFACTS} artifacts` : undefined;
}

function foldersOf(name: string): string[] {
  const steps = name.split('/').slice(0, -1);
  return steps.map((_, i) => steps.slice(0, i + 1).join('/'));
}
