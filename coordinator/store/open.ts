/**
 * Opens the store, which is one SQLite file in the coordinator's folder. Only one process can open the store at a time.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database, { type Database as Db } from 'libsql';
import { POSTGRES_MARK, readCoordinatorFile, STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { claimPrivateFolder } from '../../lib/files/private-files.ts';
import { isAlive } from '../../lib/files/process-identity.ts';
import { moveDurablySync } from '../../lib/files/write-durably.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { NotFoundError, RejectedError, StoreInUseError } from '../../proto/errors.ts';
import { checkHighWater, trackHighWater } from './high-water.ts';
import { checkNotMoved } from './moved-store.ts';
import { checkSchemaVersion, ensureSchema, schemaVersion } from './schema.ts';

/**
 * The size of SQLite's page cache in KiB. It is larger than SQLite's default, because the rows of live trials are on
 * random pages (trial ids are hashes).
 */
const CACHE_KIB = 16 * 1024;

export interface OpenStoreOptions {
  /** Whether a missing store is created. Default: true */
  readonly create?: boolean;
}

/** The name of a file that exists while the restore of the folder is incomplete. */
export const UNFINISHED_RESTORE = 'restore.json';

/** Before an upgrade from the given schema version, the store is copied. Returns the file name of this copy. */
export function upgradeCopy(schema: number): string {
  return `store.schema-${schema}.db`;
}

/**
 * Opens the store in `dir`. A missing store is created unless `create` is false.
 * @throws {StoreInUseError} if another process holds the store
 * @throws {RejectedError} if the store is damaged, the store lacks acknowledged data, or a newer version of trawl wrote
 * the store
 * @throws {NotFoundError} if `create` is false and no store exists
 */
export function openStore(dir: string, { create = true }: OpenStoreOptions = {}): Db {
  const path = join(dir, STORE_FILE);
  checkRegular(path);
  checkNotMoved(dir);
  if (existsSync(join(dir, POSTGRES_MARK))) {
    throw new RejectedError(`the store of ${dir} is in PostgreSQL: pass its URL with --store or TRAWL_STORE`);
  }
  checkNotLost(dir, path);
  if (!create && !existsSync(path)) throw new NotFoundError(`no store in ${dir}: it has no ${STORE_FILE}`);
  try {
    checkHighWater(dir);
  } catch (error) {
    throw openError(error, dir, path);
  }
  claimPrivateFolder(dir);
  const db = openFile(path);
  try {
    // The operating system releases an exclusive lock even if its holder is killed.
    db.exec('pragma locking_mode = exclusive');
    checkUndamaged(db, path);
    db.exec('pragma journal_mode = wal');
    db.exec('pragma synchronous = full');
    db.exec(`pragma cache_size = -${CACHE_KIB}`);
    ensureSchema(db, randomBytes(4).toString('hex'), (schema) => copyStore(db, join(dir, upgradeCopy(schema))));
    trackHighWater(db, dir, clusterName(db));
  } catch (error) {
    db.close();
    throw openError(error, dir, path);
  }
  return db;
}

/**
 * Opens the store in `dir` for reading, in a transaction, and checks the whole structure of the store. No coordinator
 * can open the store until this process ends. The file of the store is not changed.
 * @throws {NotFoundError} if the folder has no store
 * @throws {StoreInUseError} if another process holds the store
 * @throws {RejectedError} if the store is damaged, lacks acknowledged data, or has tables of another version
 */
export function openReadOnly(dir: string): Db {
  const path = join(dir, STORE_FILE);
  checkRegular(path);
  if (!existsSync(path)) throw new NotFoundError(`no store in ${dir}: it has no ${STORE_FILE}`);
  try {
    checkHighWater(dir);
    const db = new Database(`${pathToFileURL(path).href}?mode=ro`);
    db.exec('begin');
    const [found] = db.prepare('pragma quick_check(1)').all() as { quick_check: string }[];
    if (found?.quick_check !== 'ok') throw damagedError(path, found?.quick_check ?? 'unreadable');
    checkSchemaVersion(dir, schemaVersion(db));
    return db;
  } catch (error) {
    throw openError(error, dir, path);
  }
}

/**
 * @throws {RejectedError} if the store's path is a folder, a device, a pipe or a dangling link, or a link to one of
 * these
 */
function checkRegular(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  const stats = withoutError(() => statSync(path));
  if (stats?.isFile() === true) return;
  throw new RejectedError(`the store ${path} is not a file: put the store back, or use another folder`);
}

function withoutError<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** @throws {RejectedError} if the file cannot be opened */
function openFile(path: string): Db {
  try {
    return new Database(path);
  } catch (error) {
    throw new RejectedError(`cannot open the store ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

/** Returns the coordinator's cluster name on NATS, which the store records. */
export function clusterName(db: Db): string {
  const row = db.prepare("select value from meta where name = 'cluster'").get() as { value: string };
  return row.value;
}

function holderOf(dir: string): string | undefined {
  const file = readCoordinatorFile(dir);
  return file && isAlive(file.pid) ? `the coordinator at ${file.address} (process ${file.pid})` : undefined;
}

function openError(error: unknown, dir: string, path: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  if (`${error.code}`.startsWith('SQLITE_IOERR')) {
    return new RejectedError(
      `the disk of the store ${path} cannot be read or written (${error.message}): check the disk, its mount and its quota`,
    );
  }
  switch (error.code) {
    case 'SQLITE_BUSY': {
      const holder = holderOf(dir) ?? 'another process, such as a command that reads the folder';
      return new StoreInUseError(`the store ${path} is in use by ${holder}: only one process can open it at a time`);
    }
    case 'SQLITE_CORRUPT':
    case 'SQLITE_NOTADB':
      return damagedError(path, error.message);
    default:
      return error;
  }
}

/** A store of at most this size, in bytes, is checked completely. The check of 256 MiB takes about a second. */
const MAX_CHECKED_BYTES = 256 * 1024 * 1024;
/** The tables that grow with the history of the sweeps. */
const HISTORY = ['trials', 'attempts', 'reports', 'logs', 'events', 'rungs', 'artifacts', 'programs', 'notices'];

/**
 * Checks the structure of the store, because writes to a damaged store could damage it further. The bytes inside values
 * are not checked. In a large store, the tables that grow with the history of the sweeps are not checked, so that a
 * long history does not slow a restart. SQLite detects damage in these tables when it reads a damaged page.
 */
function checkUndamaged(db: Db, path: string): void {
  const isLarge = statSync(path).size > MAX_CHECKED_BYTES;
  const tables = isLarge
    ? (db.prepare("select name from sqlite_schema where type = 'table'").all() as { name: string }[])
        .filter(({ name }) => !HISTORY.includes(name))
        .map(({ name }) => `'${name}'`)
    : ['1'];
  for (const table of tables) {
    const rows = db.prepare(`pragma quick_check(${table})`).all() as { quick_check: string }[];
    const result = rows[0]?.quick_check ?? 'unreadable';
    if (result !== 'ok') throw damagedError(path, result);
  }
}

function damagedError(path: string, problem: string): RejectedError {
  const detail = problem.replace('*** in database main ***', '').trim().replace(/\s+/g, ' ');
  return new RejectedError(
    `the store ${path} is damaged (${detail}); nothing was changed. Restore the newest backup into a new folder ` +
      'with "trawl restore FILE --dir NEWDIR", and start the coordinator on that folder',
  );
}

/**
 * Rejects a folder that has artifacts but no store. With an empty store, a coordinator would move all artifacts to
 * `orphans/`. Also rejects a folder whose restore is not complete.
 */
function checkNotLost(dir: string, path: string): void {
  if (existsSync(path) && statSync(path).size > 0) return;
  if (existsSync(join(dir, UNFINISHED_RESTORE))) {
    throw new RejectedError(`the restore of a backup to ${dir} is not complete: run the same "trawl restore" again`);
  }
  const artifacts = join(dir, 'artifacts');
  if (!existsSync(artifacts) || readdirSync(artifacts).length === 0) return;
  const state = existsSync(path) ? 'is empty' : 'is missing';
  throw new RejectedError(
    `the store ${path} ${state}, but ${artifacts} has files; nothing was changed. Put the store back, or restore the ` +
      'newest backup into a new folder with "trawl restore FILE --dir NEWDIR", or start with an empty folder',
  );
}

/** Writes a copy of the whole store to `path`, durably and atomically. */
export function copyStore(db: Db, path: string): void {
  const part = `${path}.part`;
  rmSync(part, { force: true });
  db.prepare('vacuum into ?').run(part);
  moveDurablySync(part, path);
}
