/** Puts what a trainer keeps into the attempt's folder, whole, on the disk, with its checksum. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { artifactNameProblem, MAX_ARTIFACT_BYTES, MAX_ARTIFACTS } from '../../proto/artifacts.ts';
import { BadInputError } from '../../proto/errors.ts';
import { keptFile } from '../attempt-folder.ts';
import type { KeptArtifact, TrainingRun } from '../trainers/trainer.ts';
import type { KeptFile } from './ipc.ts';

/**
 * @param folder the attempt's folder
 * @param announce called when a file is whole: from then on it outlives the worker
 */
export function keeper(folder: string, announce: (file: KeptFile) => void): TrainingRun['keep'] {
  const names = new Set<string>();
  return async (artifact, content) => {
    check(artifact, names);
    names.add(artifact.name);
    const path = keptFile(folder, artifact.name);
    await mkdir(dirname(path), { recursive: true });
    if (content instanceof Uint8Array) await writeDurably(path, content);
    else await moveDurably(content.path, path);
    const { size, sha256 } = content instanceof Uint8Array ? sumOf(content) : await sumOfFile(path);
    if (size > MAX_ARTIFACT_BYTES) {
      throw new BadInputError(`artifact ${artifact.name} has ${size} bytes: expected at most ${MAX_ARTIFACT_BYTES}`);
    }
    announce({ ...artifact, size, sha256 });
  };
}

function check({ name }: KeptArtifact, names: ReadonlySet<string>): void {
  const wrong = artifactNameProblem(name);
  if (wrong !== undefined) throw new BadInputError(`${JSON.stringify(name)} cannot name an artifact: ${wrong}`);
  if (names.has(name)) throw new BadInputError(`this attempt has an artifact ${JSON.stringify(name)} already`);
  if (names.size >= MAX_ARTIFACTS) throw new BadInputError(`an attempt may have ${MAX_ARTIFACTS} artifacts`);
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  const file = await open(to, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function sumOf(bytes: Uint8Array): { size: number; sha256: string } {
  return { size: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function sumOfFile(path: string): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of createReadStream(path)) {
    hash.update(piece);
    size += piece.length;
  }
  return { size, sha256: hash.digest('hex') };
}
