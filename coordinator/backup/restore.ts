/** Makes a coordinator's folder of a backup. */

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'libsql';
import { checksumOfFile } from '../../lib/files/checksum.ts';
import { syncPath } from '../../lib/files/write-durably.ts';
import { BadInputError, DamagedError, RefusedError } from '../../proto/errors.ts';
import { STORE_FILE } from '../store/open.ts';
import { SCHEMA_VERSION } from '../store/schema.ts';
import {
  ARTIFACTS,
  BACKUP_STORE,
  isTaken,
  MANIFEST,
  type Manifest,
  manifest,
  mustBe,
  NAMED_ARTIFACTS,
  type NamedArtifact,
  syncFolders,
} from './backup-folder.ts';

/**
 * The store takes its name last: until then there is nothing in the folder to start a coordinator on, and what is there
 * is removed again when something is wrong.
 * @throws {RefusedError} when the folder is not empty, or a newer trawl made the backup
 * @throws {BadInputError | DamagedError} when the backup is none, or not whole
 */
export async function restoreBackup(from: string, dir: string): Promise<Manifest> {
  const told = readManifest(from);
  if (told.schema > SCHEMA_VERSION) {
    throw new RefusedError(
      `the backup ${from} has schema ${told.schema}, this trawl knows ${SCHEMA_VERSION}: use trawl ${told.version} or newer`,
    );
  }
  if (isTaken(dir)) throw new RefusedError(`${dir} is not empty: a backup is restored into a new folder`);
  if ((await checksumOfFile(join(from, BACKUP_STORE))).sha256 !== told.store.sha256) {
    throw new DamagedError(`${join(from, BACKUP_STORE)} is not what ${MANIFEST} says: the backup was altered or torn`);
  }
  await mkdir(dir, { recursive: true });
  const part = join(dir, `${STORE_FILE}.part`);
  try {
    await copyFile(join(from, BACKUP_STORE), part);
    const missing = new Set(told.missing);
    for (const artifact of asAnother(part)) {
      if (missing.has(artifact.path)) continue;
      await bring(join(from, ARTIFACTS, artifact.path), join(dir, ARTIFACTS, artifact.path), artifact);
    }
    await syncPath(part);
    await rename(part, join(dir, STORE_FILE));
    await syncFolders(dir);
  } catch (error) {
    await Promise.all([part, join(dir, ARTIFACTS)].map((path) => rm(path, { recursive: true, force: true })));
    throw error;
  }
  return told;
}

/** @throws {BadInputError} */
function readManifest(from: string): Manifest {
  const path = join(from, MANIFEST);
  if (!existsSync(path))
    throw new BadInputError(`${from} is no backup, or one that was not finished: it has no ${MANIFEST}`);
  try {
    return manifest.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    throw new BadInputError(`${path} is not what "trawl backup" writes`);
  }
}

/**
 * Gives the store another name on NATS: should the coordinator that was backed up still be at work, neither takes the
 * other's offers and heartbeats. Agents learn the name when they say hello.
 * @returns the artifacts that it names
 */
function asAnother(store: string): NamedArtifact[] {
  const db = new Database(store);
  try {
    db.prepare("update meta set value = ? where name = 'cluster'").run(randomBytes(4).toString('hex'));
    return db.prepare(NAMED_ARTIFACTS).all() as NamedArtifact[];
  } finally {
    db.close();
  }
}

async function bring(from: string, to: string, artifact: NamedArtifact): Promise<void> {
  if (!existsSync(from)) throw new DamagedError(`the backup lacks the artifact ${from}`);
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
  await mustBe(to, artifact);
  await syncPath(to);
}
