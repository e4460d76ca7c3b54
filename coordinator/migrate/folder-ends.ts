/** Moves a store out of or into a coordinator's folder. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Database, { type Database as Db } from 'libsql';
import { MOVED_FILE, STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { requireFolder } from '../../lib/files/folder.ts';
import { claimPrivateFolder, PRIVATE_FILE } from '../../lib/files/private-files.ts';
import { tokenFile } from '../../lib/files/token-file.ts';
import { moveDurably, syncPathSync, writeDurablySync } from '../../lib/files/write-durably.ts';
import { RejectedError, StoreInUseError } from '../../proto/errors.ts';
import { CODE_FOLDER } from '../artifacts/code-archives.ts';
import { ARTIFACTS_FOLDER } from '../artifacts/files.ts';
import type { RowSource, RowTarget } from '../store/copy/rows.ts';
import { SqliteRows, writeSqliteStore } from '../store/copy/sqlite-rows.ts';
import { formatHighWater, HIGH_WATER_FILE } from '../store/high-water.ts';
import {
  readMoved,
  readUnfinished,
  UNFINISHED_MIGRATION,
  unfinishedError,
  writeMoved,
  writeUnfinished,
} from '../store/moved-store.ts';
import { openReadOnly } from '../store/open.ts';
import { type NewStore, type OriginStore, unfinishedOf } from './store-ends.ts';

/** The name of the subfolder for files that are not yet complete. */
export const PARTS_FOLDER = 'migration.parts';
const LOCK_FILE = 'migration.lock';

/** @throws the errors of `openReadOnly`; RejectedError if the store is an incomplete copy */
export function openFolderOrigin(dir: string): OriginStore {
  const unfinished = readUnfinished(dir);
  if (unfinished !== undefined) throw unfinishedError(dir, unfinished);
  const db = openReadOnly(dir);
  const meta = metaOf(db);
  return {
    name: resolve(dir),
    cluster: meta.get('cluster') ?? '',
    commits: Number(meta.get('commits') ?? 0),
    rows: new SqliteRows(db),
    artifacts: meta.get('artifacts'),
    moved: readMoved(dir),
    unmove: `delete ${MOVED_FILE} and postgres.high-water (if it exists) in ${dir}`,
    async markMoved(moved) {
      writeMoved(dir, moved);
    },
    async close() {
      db.close();
    },
  };
}

function metaOf(db: Db): ReadonlyMap<string, string> {
  const rows = db.prepare('select name, value from meta').all() as { name: string; value: string }[];
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/**
 * Prepares a new folder, or the folder of an interrupted migration of the same store.
 * @param token the token of the old folder. It is also written to the new folder, so that clients can continue to use
 * it
 * @throws {RejectedError} if the folder has files that are not part of the copy, or an incomplete copy of another store
 * @throws {StoreInUseError} if another migration to the folder is running
 */
export function openNewFolder(dir: string, origin: OriginStore, token: string | undefined): NewStore {
  checkNewFolder(dir, origin);
  claimPrivateFolder(dir);
  const lock = lockFolder(dir);
  writeUnfinished(dir, unfinishedOf(origin));
  rmSync(join(dir, PARTS_FOLDER), { recursive: true, force: true });
  const path = join(dir, STORE_FILE);
  const part = `${path}.part`;
  const read = <T>(file: string, work: (rows: RowSource) => Promise<T>): Promise<T> => {
    const db = new Database(file);
    db.exec('pragma query_only = on; begin');
    return work(new SqliteRows(db)).finally(() => db.close());
  };
  return {
    name: resolve(dir),
    isCopied: existsSync(path),
    readCopy: (work) => read(path, work),
    async write<T>(fill: (rows: RowTarget) => Promise<void>, verify: (rows: RowSource) => Promise<T>): Promise<T> {
      await writeSqliteStore(part, fill);
      syncPathSync(part);
      const verified = await read(part, verify);
      await moveDurably(part, path);
      return verified;
    },
    async finish() {
      const { cluster, commits } = origin;
      writeDurablySync(join(dir, HIGH_WATER_FILE), formatHighWater({ cluster, commits }), PRIVATE_FILE);
      if (token !== undefined) writeDurablySync(tokenFile(dir), `${token}\n`, PRIVATE_FILE);
      rmSync(join(dir, PARTS_FOLDER), { recursive: true, force: true });
      rmSync(join(dir, LOCK_FILE), { force: true });
      rmSync(join(dir, UNFINISHED_MIGRATION));
      syncPathSync(dir);
    },
    async close() {
      lock.close();
    },
  };
}

function checkNewFolder(dir: string, { cluster, name, moved }: OriginStore): void {
  const unfinished = existsSync(dir) ? readUnfinished(dir) : undefined;
  if (unfinished === undefined && moved !== undefined) throw new RejectedError(`${name} was moved`);
  requireFolder('--to-dir', dir);
  const temporary = new RegExp(`^${UNFINISHED_MIGRATION.replace('.', '\\.')}\\.[0-9a-f]+\\.part$`);
  const names = readdirSync(dir).filter((file) => !file.startsWith(LOCK_FILE) && !temporary.test(file));
  if (unfinished === undefined && names.length > 0) {
    throw new RejectedError(`${dir} is not empty: move the store into a new folder`);
  }
  if (unfinished === undefined) return;
  if (unfinished.cluster !== cluster) {
    throw new RejectedError(`${dir} has an incomplete copy of ${unfinished.from}, not of ${name}: use a new folder`);
  }
  const own = [STORE_FILE, UNFINISHED_MIGRATION, PARTS_FOLDER, ARTIFACTS_FOLDER, CODE_FOLDER, HIGH_WATER_FILE];
  const isOwn = (file: string) =>
    own.some((each) => file === each || file.startsWith(`${each}-`) || file.startsWith(`${each}.`));
  const other = names.find((file) => !isOwn(file) && file !== 'token' && !file.startsWith('token.'));
  if (other !== undefined)
    throw new RejectedError(`${dir} has a file that is not part of the copy (${other}): use a new folder`);
}

/**
 * Locks a folder. Uses a lock of SQLite, because the operating system releases such a lock even if the process that
 * holds it is killed.
 */
function lockFolder(dir: string): Db {
  const db = new Database(join(dir, LOCK_FILE));
  try {
    db.exec('pragma journal_mode = memory; pragma locking_mode = exclusive; begin exclusive');
    return db;
  } catch (error) {
    throw new StoreInUseError(`another "trawl migrate" writes to ${dir}`, { cause: error });
  }
}
