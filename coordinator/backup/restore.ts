/** Restores a backup into a new coordinator's folder. */

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'libsql';
import { checksumOfFile } from '../../lib/files/checksum.ts';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { syncPath } from '../../lib/files/write-durably.ts';
import { BadInputError, DamagedError, RejectedError } from '../../proto/errors.ts';
import { SCHEMA_VERSION } from '../store/schema.ts';
import {
  BACKUP_STORE,
  FILE_FOLDERS,
  isMissing,
  isNotEmpty,
  MANIFEST,
  type Manifest,
  manifest,
  type StoredFile,
  storedFiles,
  syncFolders,
  verifyFile,
} from './backup-folder.ts';

/**
 * Restores a backup into a new or empty folder. The store is renamed last, so that no coordinator can start on an
 * incomplete folder. After an error, the contents of the folder are removed.
 * @throws {RejectedError} when the folder is not empty, or a newer trawl made the backup
 * @throws {BadInputError} when the folder is not a backup
 * @throws {DamagedError} when the backup is damaged or incomplete
 */
export async function restoreBackup(from: string, dir: string): Promise<Manifest> {
  const source = readManifest(from);
  if (source.schema > SCHEMA_VERSION) {
    throw new RejectedError(
      `the backup ${from} has schema ${source.schema}, but this trawl supports up to ${SCHEMA_VERSION}: use trawl ${source.version} or newer`,
    );
  }
  if (isNotEmpty(dir)) throw new RejectedError(`${dir} is not empty; restore the backup into a new folder`);
  if ((await checksumOfFile(join(from, BACKUP_STORE))).sha256 !== source.store.sha256) {
    throw new DamagedError(
      `${join(from, BACKUP_STORE)} does not match ${MANIFEST}: the backup is damaged or was changed`,
    );
  }
  await mkdir(dir, { recursive: true });
  const part = join(dir, `${STORE_FILE}.part`);
  try {
    await copyFile(join(from, BACKUP_STORE), part);
    for (const file of renameCluster(part)) {
      if (isMissing(source, file)) continue;
      await copyVerified(join(from, file.path), join(dir, file.path), file);
    }
    await syncPath(part);
    await rename(part, join(dir, STORE_FILE));
    await syncFolders(dir);
  } catch (error) {
    const folders = FILE_FOLDERS.map((folder) => join(dir, folder));
    await Promise.all([part, ...folders].map((path) => rm(path, { recursive: true, force: true })));
    throw error;
  }
  return source;
}

function readManifest(from: string): Manifest {
  const path = join(from, MANIFEST);
  if (!existsSync(path)) throw new BadInputError(`${from} is not a complete backup: it has no ${MANIFEST}`);
  try {
    return manifest.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    throw new BadInputError(`${path} is not a manifest written by "trawl backup"`);
  }
}

/**
 * Gives the store a new cluster name. It separates the heartbeats and offers of the restored coordinator from those of
 * the original, which may still run.
 */
function renameCluster(store: string): StoredFile[] {
  const db = new Database(store);
  try {
    db.prepare("update meta set value = ? where name = 'cluster'").run(randomBytes(4).toString('hex'));
    return storedFiles(db);
  } finally {
    db.close();
  }
}

async function copyVerified(from: string, to: string, file: StoredFile): Promise<void> {
  if (!existsSync(from)) throw new DamagedError(`the backup has no file ${from}`);
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
  await verifyFile(to, file);
  await syncPath(to);
}
