/**
 * A backup is a folder: the store in one file, the artifacts as they lie in the coordinator's folder, and a manifest,
 * written last, without which it is none. The store's rows say what each artifact must be.
 */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { z } from 'zod';
import { checksumOfFile } from '../../lib/files/checksum.ts';
import { syncPath, writeDurably } from '../../lib/files/write-durably.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { DamagedError } from '../../proto/errors.ts';

/** Not called store.db: a coordinator must not be started on a backup, which would not be one any more. */
export const BACKUP_STORE = 'store.sqlite';
export const MANIFEST = 'backup.json';
export const ARTIFACTS = 'artifacts';

export const manifest = z.object({
  format: z.literal(1),
  /** Of trawl. */
  version: z.string(),
  /** Of the store. */
  schema: z.number().int(),
  created_at: z.string(),
  store: z.object({ bytes: z.number().int(), sha256: z.string() }),
  artifacts: z.object({ files: z.number().int(), bytes: z.number().int() }),
  /** Artifacts that the store names and the coordinator's folder did not have. */
  missing: z.array(z.string()),
});

export type Manifest = z.infer<typeof manifest>;

/** An artifact that the store names, and where it is below the artifacts' folder. */
export interface NamedArtifact {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export const NAMED_ARTIFACTS = `
select sweep_id || '/' || trial_id || '/' || attempt || '/' || name as path, size, sha256 from artifacts order by path`;

/**
 * @param dir what was received
 * @param version of this trawl
 * @throws {DamagedError} when the store does not hang together, or an artifact is not what it says
 */
export async function sealBackup(dir: string, version: string): Promise<Manifest> {
  const store = join(dir, BACKUP_STORE);
  const { schema, named } = readBackedUp(store);
  const missing: string[] = [];
  let bytes = 0;
  for (const artifact of named) {
    if (!existsSync(join(dir, ARTIFACTS, artifact.path))) missing.push(artifact.path);
    else {
      await mustBe(join(dir, ARTIFACTS, artifact.path), artifact);
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

/** @throws {DamagedError} */
export async function mustBe(path: string, { size, sha256 }: NamedArtifact): Promise<void> {
  if (statSync(path).size === size && (await checksumOfFile(path)).sha256 === sha256) return;
  throw new DamagedError(`the artifact ${path} is not what the store says of it`);
}

/** Takes the store out of its write-ahead mode, so that it is one file, and reads it through. */
function readBackedUp(path: string): { schema: number; named: NamedArtifact[] } {
  const db = new Database(path);
  try {
    db.exec('pragma journal_mode = delete');
    const [found] = db.prepare('pragma quick_check(1)').all() as { quick_check: string }[];
    if (found?.quick_check !== 'ok') throw new Error(found?.quick_check);
    const { user_version: schema } = db.prepare('pragma user_version').get() as { user_version: number };
    return { schema, named: db.prepare(NAMED_ARTIFACTS).all() as NamedArtifact[] };
  } catch (error) {
    throw new DamagedError(`the copy of the store is damaged: ${errorMessage(error)}`);
  } finally {
    db.close();
  }
}

/** A folder's files are durable by name once it, and every folder above them, is. */
export async function syncFolders(dir: string): Promise<void> {
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) await syncPath(join(entry.parentPath, entry.name));
  }
  await syncPath(dir);
}

/** Whether something is there that a restore, or a backup, would mix with its own. */
export function isTaken(dir: string): boolean {
  return existsSync(dir) && readdirSync(dir).length > 0;
}
