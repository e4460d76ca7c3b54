/** Restores a backup into a new folder, from which a coordinator can start. */

import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'libsql';
import * as z from 'zod';
import { checksumOfFile } from '../../lib/files/checksum.ts';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { checkFolder, requireFolder } from '../../lib/files/folder.ts';
import { innerPath } from '../../lib/files/inner-path.ts';
import { claimPrivateFolder } from '../../lib/files/private-files.ts';
import { syncPath, writeDurably } from '../../lib/files/write-durably.ts';
import { BadInputError, DamagedError, RejectedError } from '../../proto/errors.ts';
import { UNFINISHED_RESTORE } from '../store/open.ts';
import { SCHEMA_VERSION } from '../store/schema.ts';
import {
  BACKUP_STORE,
  FILE_FOLDERS,
  isMissing,
  MANIFEST,
  type Manifest,
  manifest,
  type StoredFile,
  storedFiles,
  syncFolders,
  verifyFile,
} from './backup-folder.ts';

/** The content of the file UNFINISHED_RESTORE: the checksum of the backup's store. */
const unfinished = z.object({ store: z.string() });

/**
 * Restores a backup into a new or empty folder, or into a folder where an earlier restore of the same backup was
 * killed. The store gets its final name after all other files are complete, so that no coordinator can start on an
 * incomplete folder. After an error, the copied files are removed.
 * @throws {RejectedError} if `dir` contains files that do not come from an earlier restore of this backup, or if this
 * version of trawl does not support the backup's schema
 * @throws {BadInputError} if `from` is not a complete backup
 * @throws {DamagedError} if the backup is damaged or incomplete
 */
export async function restoreBackup(from: string, dir: string): Promise<Manifest> {
  const source = readManifest(from);
  if (source.schema > SCHEMA_VERSION) {
    throw new RejectedError(
      `the backup ${from} has schema ${source.schema}, but this trawl supports up to ${SCHEMA_VERSION}: use trawl ${source.version} or newer`,
    );
  }
  checkFolder('--dir', dir);
  checkTarget(dir, source);
  if ((await checksumOfFile(join(from, BACKUP_STORE))).sha256 !== source.store.sha256) {
    throw new DamagedError(
      `${join(from, BACKUP_STORE)} does not match ${MANIFEST}: the backup is damaged or was changed`,
    );
  }
  requireFolder('--dir', dir);
  claimPrivateFolder(dir);
  const part = join(dir, `${STORE_FILE}.part`);
  const folders = FILE_FOLDERS.map((folder) => join(dir, folder));
  const mark = join(dir, UNFINISHED_RESTORE);
  await writeDurably(mark, `${JSON.stringify({ store: source.store.sha256 })}\n`);
  try {
    // A killed restore can leave incomplete files behind, so all files are removed and copied again.
    await remove([part, join(dir, STORE_FILE), ...folders]);
    await copyFile(join(from, BACKUP_STORE), part);
    for (const file of renameCluster(part)) {
      if (isMissing(source, file)) continue;
      await copyVerified(innerPath(from, file.path), innerPath(dir, file.path), file);
    }
    await syncPath(part);
    await rename(part, join(dir, STORE_FILE));
    await syncFolders(dir);
  } catch (error) {
    await remove([part, ...folders]);
    await remove([mark]);
    throw error;
  }
  await remove([mark]);
  await syncPath(dir);
  return source;
}

async function remove(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => rm(path, { recursive: true, force: true })));
}

/** Rejects a folder that contains files, unless all of them come from an unfinished restore of the same backup. */
function checkTarget(dir: string, source: Manifest): void {
  if (!existsSync(dir)) return;
  const temporary = new RegExp(`^${UNFINISHED_RESTORE.replace('.', '\\.')}\\.[0-9a-f]+\\.part$`);
  const names = readdirSync(dir).filter((name) => !temporary.test(name));
  if (names.length === 0) return;
  const left = [UNFINISHED_RESTORE, STORE_FILE, `${STORE_FILE}.part`, `${STORE_FILE}.part-journal`, ...FILE_FOLDERS];
  const other = names.find((name) => !left.includes(name));
  if (other !== undefined || !names.includes(UNFINISHED_RESTORE)) {
    throw new RejectedError(`${dir} is not empty; restore the backup into a new folder`);
  }
  if (unfinishedStore(dir) !== source.store.sha256) {
    throw new RejectedError(
      `${dir} has an unfinished restore of another backup; restore that backup again, or use a new folder`,
    );
  }
}

function unfinishedStore(dir: string): string | undefined {
  try {
    return unfinished.parse(JSON.parse(readFileSync(join(dir, UNFINISHED_RESTORE), 'utf8'))).store;
  } catch {
    return undefined;
  }
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
 * Gives the store a new cluster name, and returns the files that the store lists. The new cluster name separates the
 * heartbeats and offers of the restored coordinator from those of the original coordinator, which may still run.
 */
function renameCluster(store: string): readonly StoredFile[] {
  const db = new Database(store);
  try {
    db.prepare("update meta set value = ? where name = 'cluster'").run(randomBytes(4).toString('hex'));
    // A backup contains the artifacts as files, even if the original coordinator kept them in S3.
    db.prepare("delete from meta where name = 'artifacts' or name like 'removing %'").run();
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
