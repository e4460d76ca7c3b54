/**
 * A backup is a folder that contains the store (as one file), the artifacts, the code archives and a manifest.
 * Artifacts and code archives have the same paths as in the coordinator's folder. The manifest is written last, so a
 * folder without a manifest is not a backup. The store in a backup contains the checksum of each artifact and code
 * archive.
 */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database, { type Database as DatabaseType } from 'libsql';
import * as z from 'zod';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { checksumOfFile } from '../../lib/files/checksum.ts';
import { innerPath } from '../../lib/files/inner-path.ts';
import { syncPath, writeDurably } from '../../lib/files/write-durably.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { DamagedError } from '../../proto/errors.ts';
import { CODE_FOLDER, codeArchiveName } from '../artifacts/code-archives.ts';
import { ARTIFACTS_FOLDER } from '../artifacts/files.ts';

/**
 * The name of the store's file in a backup. A coordinator calls this file store.db. The name is different, so that a
 * coordinator cannot start on a backup and change it.
 */
export const BACKUP_STORE = 'store.sqlite';
export const MANIFEST = 'backup.json';
/** The names of the folders for artifacts and for code archives. Both folders are next to the store's file. */
export const FILE_FOLDERS: readonly string[] = [ARTIFACTS_FOLDER, CODE_FOLDER];

export const manifest = z.object({
  format: z.literal(1),
  /** The version of trawl that made the backup. */
  version: z.string(),
  /** The schema version of the store. */
  schema: z.number().int(),
  created_at: z.string(),
  store: z.object({ bytes: z.number().int(), sha256: z.string() }),
  artifacts: z.object({ files: z.number().int(), bytes: z.number().int() }),
  /**
   * The paths of the artifacts and code archives that the store lists, but whose files did not exist when the backup
   * was made.
   */
  missing: z.array(z.string()),
});

export type Manifest = z.infer<typeof manifest>;

/** A file that the store lists. `path` is relative to the coordinator's folder. */
export interface StoredFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** For an artifact, its attempt and its name. Undefined for a code archive. */
  readonly of?: { readonly key: AttemptKey; readonly name: string };
}

/**
 * Returns the files unchanged, after a check of their paths.
 * @throws {DamagedError} if a path is not a valid path inside the coordinator's folder
 */
function checkPaths(files: readonly StoredFile[]): readonly StoredFile[] {
  for (const { path } of files) innerPath('', path);
  return files;
}

/**
 * Returns the artifacts and code archives that the store lists. The store can have any schema version.
 * @throws {DamagedError} if the path of a file is not a valid path inside the coordinator's folder
 */
export function storedFiles(db: DatabaseType): readonly StoredFile[] {
  const artifacts = db
    .prepare(
      `select cast(sweep_id as text) as sweepId, trial_id as trialId, attempt, name, size, sha256 from artifacts
       order by sweepId || '/' || trialId || '/' || attempt || '/' || name`,
    )
    .all() as (AttemptKey & Omit<StoredFile, 'path'> & { readonly name: string })[];
  const hasCode =
    db.prepare("select 1 from sqlite_master where type = 'table' and name = 'sources'").get() !== undefined;
  const code = hasCode ? db.prepare('select distinct sha256, size from sources order by sha256').all() : [];
  return checkPaths([
    ...artifacts.map(({ sweepId, trialId, attempt, name, size, sha256 }): StoredFile => {
      const path = `${ARTIFACTS_FOLDER}/${sweepId}/${trialId}/${attempt}/${name}`;
      return { path, size, sha256, of: { key: { sweepId, trialId, attempt }, name } };
    }),
    ...(code as Omit<StoredFile, 'path'>[]).map((file) => {
      return { ...file, path: `${CODE_FOLDER}/${codeArchiveName(file.sha256)}` };
    }),
  ]);
}

/**
 * Whether the manifest lists a file as missing. In a manifest that an older version of trawl wrote, the path of an
 * artifact is relative to the artifacts folder.
 */
export function isMissing({ missing }: Manifest, { path }: StoredFile): boolean {
  return missing.includes(path) || missing.includes(path.slice(ARTIFACTS_FOLDER.length + 1));
}

/**
 * Verifies a received backup and writes its manifest.
 * @param dir the folder of the received files
 * @param version the running version of trawl
 * @throws {DamagedError} if the store or a file is damaged
 */
export async function sealBackup(dir: string, version: string): Promise<Manifest> {
  const store = join(dir, BACKUP_STORE);
  const { schema, named } = readStore(store);
  const missing: string[] = [];
  let bytes = 0;
  for (const artifact of named) {
    if (!existsSync(join(dir, artifact.path))) missing.push(artifact.path);
    else {
      await verifyFile(join(dir, artifact.path), artifact);
      bytes += artifact.size;
    }
  }
  const sealed: Manifest = {
    format: 1,
    version,
    schema,
    created_at: new Date().toISOString(),
    store: { bytes: statSync(store).size, sha256: (await checksumOfFile(store)).sha256 },
    artifacts: { files: named.length - missing.length, bytes },
    missing,
  };
  await syncPath(store);
  await writeDurably(join(dir, MANIFEST), `${JSON.stringify(sealed, null, 2)}\n`);
  await syncFolders(dir);
  return sealed;
}

/**
 * Verifies the size and the checksum of a file.
 * @throws {DamagedError} if the size or the checksum is wrong
 */
export async function verifyFile(path: string, { size, sha256 }: StoredFile): Promise<void> {
  if (statSync(path).size === size && (await checksumOfFile(path)).sha256 === sha256) return;
  throw new DamagedError(`the file ${path} is damaged: its size or checksum does not match the store`);
}

/**
 * Checks a store. Returns its schema version and the files that it lists. Turns off write-ahead logging for the store,
 * so that the store is a single file.
 */
function readStore(path: string): { schema: number; named: readonly StoredFile[] } {
  const db = new Database(path);
  try {
    db.exec('pragma journal_mode = delete');
    const [found] = db.prepare('pragma quick_check(1)').all() as { quick_check: string }[];
    if (found?.quick_check !== 'ok') throw new Error(found?.quick_check);
    const { user_version: schema } = db.prepare('pragma user_version').get() as { user_version: number };
    return { schema, named: storedFiles(db) };
  } catch (error) {
    throw new DamagedError(`the copy of the store is damaged: ${errorMessage(error)}`);
  } finally {
    db.close();
  }
}

/** Syncs a folder and all folders below it, so that the names of their files are durable. */
export async function syncFolders(dir: string): Promise<void> {
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) await syncPath(join(entry.parentPath, entry.name));
  }
  await syncPath(dir);
}

/** Returns whether the folder exists and is not empty. A backup is received only into a new or empty folder. */
export function isNotEmpty(dir: string): boolean {
  return existsSync(dir) && readdirSync(dir).length > 0;
}
