/** Opens the store: one SQLite file in the coordinator's folder, held by one process at a time. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database, { type Database as Db } from 'libsql';
import { holderOf } from '../../lib/files/coordinator-file.ts';
import { NotFoundError, RefusedError } from '../../proto/errors.ts';
import { copyStore } from './copy.ts';
import { damaged, refuseDamage, refuseLostStore } from './damage.ts';
import { ensureSchema } from './schema.ts';

export const STORE_FILE = 'store.db';

/** In the store's folder: what it was before an upgrade from that schema. */
export function upgradeCopy(schema: number): string {
  return `store.schema-${schema}.db`;
}

/**
 * @throws {RefusedError} when another process holds the store, it is damaged, or a newer trawl wrote it
 * @throws {NotFoundError} when `create` is false and there is none
 */
export function openStore(dir: string, { create = true }: { create?: boolean } = {}): Db {
  const path = join(dir, STORE_FILE);
  refuseLostStore(dir, path);
  if (!create && !existsSync(path)) throw new NotFoundError(`${dir} holds no sweeps: there is no ${STORE_FILE} in it`);
  mkdirSync(dir, { recursive: true });
  const db = new Database(path);
  try {
    // Exclusive: the operating system frees the lock when its holder dies, however it dies.
    db.exec('pragma locking_mode = exclusive');
    refuseDamage(db, path);
    db.exec('pragma journal_mode = wal');
    // Full: a commit is on the disk before it returns.
    db.exec('pragma synchronous = full');
    ensureSchema(db, randomBytes(4).toString('hex'), (schema) => copyStore(db, join(dir, upgradeCopy(schema))));
  } catch (error) {
    db.close();
    throw explained(error, dir, path);
  }
  return db;
}

function explained(error: unknown, dir: string, path: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  switch (error.code) {
    case 'SQLITE_BUSY': {
      const holder = holderOf(dir) ?? 'another process, such as a command that reads the folder';
      return new RefusedError(`the store ${path} is in use by ${holder}: only one process can work on it`);
    }
    case 'SQLITE_CORRUPT':
    case 'SQLITE_NOTADB':
      return damaged(path, error.message);
    default:
      return error;
  }
}

/** The name that this store's coordinator goes by on NATS. */
export function clusterName(db: Db): string {
  const row = db.prepare("select value from meta where name = 'cluster'").get() as { value: string };
  return row.value;
}
