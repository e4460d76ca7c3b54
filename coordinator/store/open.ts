/** Opens the store: one SQLite file in the coordinator's folder, held by one process at a time. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database, { type Database as Db } from 'libsql';
import { NotFoundError, RefusedError } from '../../proto/errors.ts';
import { ensureSchema } from './schema.ts';

export const STORE_FILE = 'store.db';

/**
 * @throws {RefusedError} when another process holds the store, or a newer trawl wrote it
 * @throws {NotFoundError} when `create` is false and there is none
 */
export function openStore(dir: string, { create = true }: { create?: boolean } = {}): Db {
  const path = join(dir, STORE_FILE);
  if (!create && !existsSync(path)) throw new NotFoundError(`${dir} holds no sweeps: there is no ${STORE_FILE} in it`);
  mkdirSync(dir, { recursive: true });
  const db = new Database(path);
  try {
    // Exclusive: the operating system frees the lock when its holder dies, however it dies.
    db.exec('pragma locking_mode = exclusive');
    db.exec('pragma journal_mode = wal');
    // Full: a commit is on the disk before it returns.
    db.exec('pragma synchronous = full');
    ensureSchema(db, randomBytes(4).toString('hex'));
  } catch (error) {
    db.close();
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY') {
      throw new RefusedError(`the store ${path} is in use by another process: is a coordinator running on it?`);
    }
    throw error;
  }
  return db;
}

/** The name that this store's coordinator goes by on NATS. */
export function clusterName(db: Db): string {
  const row = db.prepare("select value from meta where name = 'cluster'").get() as { value: string };
  return row.value;
}
