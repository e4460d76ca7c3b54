/**
 * Implements the high-water mark of a store: a small file beside the store with the number of the last committed
 * transaction. SQLite opens a store even if its write-ahead log is lost, cut or altered, and keeps only the
 * transactions before the damage. The mark shows that later transactions are missing.
 *
 * The mark is written after each commit and before the acknowledgement of the commit. It is therefore correct after
 * `kill -9`. The mark is synced to disk every second, so after a power failure the mark can be up to a second old.
 */
import { closeSync, existsSync, openSync, readFileSync, statfsSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database, { type Database as Db, type Statement } from 'libsql';
import { sha256Of } from '../../lib/files/checksum.ts';
import { POSTGRES_MARK, STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { writeDurablySync } from '../../lib/files/write-durably.ts';
import { RejectedError } from '../../proto/errors.ts';
import { readMoved } from './moved-store.ts';

export const HIGH_WATER_FILE = 'store.high-water';

const SYNC_INTERVAL_MS = 1_000;
const OWNER_ONLY = 0o600;
const COUNT_DIGITS = 16;

export interface HighWater {
  /** The coordinator's cluster name on NATS, which is unique to the store. */
  readonly cluster: string;
  /** The number of committed transactions. */
  readonly commits: number;
}

/**
 * Returns the content of the mark file. The content has a constant length, so that one write within a disk sector
 * replaces it.
 */
export function formatHighWater({ cluster, commits }: HighWater): string {
  const text = `${cluster} ${`${commits}`.padStart(COUNT_DIGITS, '0')}`;
  return `${text} ${sha256Of(text).slice(0, 16)}\n`;
}

/** Parses the content of the mark file. If the content is damaged, returns undefined. */
export function parseHighWater(content: string): HighWater | undefined {
  const [, cluster, digits] = /^([0-9a-f]{8}) (\d{16}) [0-9a-f]{16}\n$/.exec(content) ?? [];
  if (cluster === undefined || digits === undefined) return undefined;
  const mark = { cluster, commits: Number(digits) };
  return formatHighWater(mark) === content ? mark : undefined;
}

/**
 * Checks that the store in `dir` holds every transaction up to its mark. The check changes neither the store nor its
 * write-ahead log, so that a user can still repair both. A folder without a mark is accepted.
 * @throws {RejectedError} if the store lacks transactions or is a different store, or if the mark is damaged
 */
export function checkHighWater(dir: string): void {
  const path = join(dir, HIGH_WATER_FILE);
  if (!existsSync(path)) return;
  const mark = parseHighWater(readFileSync(path, 'latin1'));
  if (mark === undefined) throw rejection(dir, `${path} is damaged`);
  const store = join(dir, STORE_FILE);
  if (!existsSync(store)) throw rejection(dir, `the store ${store} is missing, but its mark ${path} exists`);
  const problem = shortfall(store, mark);
  if (problem !== undefined) throw rejection(dir, problem);
}

function rejection(dir: string, problem: string): RejectedError {
  const mark = join(dir, HIGH_WATER_FILE);
  return new RejectedError(
    `${problem}; nothing was changed. Put back the newest ${STORE_FILE} and ${STORE_FILE}-wal, or restore the newest ` +
      `backup into a new folder with "trawl restore FILE --dir NEWDIR". To continue with the data that is left and lose ` +
      `the rest, copy the folder, delete ${mark}, and start again`,
  );
}

const HOLDS = 'holds ';

/**
 * Returns the problem if the store is behind its mark or is a different store. Reads the store over a read-only
 * connection, because the last writable connection empties the write-ahead log when it closes. Runs an SQL script,
 * because a prepared statement would keep the connection open. A script returns no rows. If there is a problem, the
 * script therefore fails on purpose, and its error message contains the name of the store and the number of its
 * transactions.
 */
function shortfall(store: string, { cluster, commits }: HighWater): string | undefined {
  const db = new Database(`${pathToFileURL(store).href}?mode=ro`);
  const held = "coalesce((select value from meta where name = 'commits'), '0')";
  const name = "coalesce((select value from meta where name = 'cluster'), 'no name')";
  try {
    db.exec(`select case when ${name} <> '${cluster}' or cast(${held} as integer) < ${commits}
      then json_extract('{}', '${HOLDS}' || ${name} || ' ' || ${held}) end`);
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const [, foundName, foundCommits] = /holds (.+) (\d+)'/.exec(message) ?? [];
    if (foundName === cluster) return lost(store, commits, Number(foundCommits));
    if (foundName !== undefined) return `the store ${store} is not the one that was used in this folder before`;
    if (message.startsWith('no such table')) return lost(store, commits, 0);
    throw isFull(store) ? diskFullError(error) : error;
  } finally {
    db.close();
  }
}

/**
 * SQLite needs this disk space for the index of the write-ahead log, and reports insufficient space as an I/O error.
 */
const INDEX_BYTES = 64 * 1024;

function isFull(store: string): boolean {
  const { bavail, bsize } = statfsSync(dirname(store));
  return bavail * bsize < INDEX_BYTES;
}

function diskFullError(cause: unknown): Error {
  return Object.assign(new Error('no space left to open the store', { cause }), { code: 'ENOSPC' });
}

function lost(store: string, commits: number, held: number): string {
  return (
    `the store ${store} lost data: it holds ${held} of ${commits} transactions. Its write-ahead log ` +
    `${store}-wal is missing or damaged, or an older copy replaced the store`
  );
}

interface Tracked {
  readonly count: Statement;
  readonly mark?: HighWaterFile;
}

const tracked = new WeakMap<Db, Tracked>();

/** Writes the mark of an open store. Later, `commitCounted` keeps the mark up to date. */
export function trackHighWater(db: Db, dir: string, cluster: string): void {
  const row = db.prepare("select value from meta where name = 'commits'").get() as { value: string } | undefined;
  const mark = { cluster, commits: Number(row?.value ?? 0) };
  const path = join(dir, HIGH_WATER_FILE);
  writeDurablySync(path, formatHighWater(mark), OWNER_ONLY);
  tracked.set(db, { count: counter(db), mark: new HighWaterFile(path, cluster) });
}

/**
 * Runs `work` in one transaction, counts the transaction, and updates the store's mark after the commit. A coordinator
 * that has started uses this function for all writes.
 */
export function commitCounted<T>(db: Db, work: () => T): T {
  const { count, mark } = trackedOf(db);
  let commits: number;
  let result: T;
  db.exec('begin immediate');
  try {
    result = work();
    commits = Number((count.all() as { value: string }[])[0]?.value);
    db.exec('commit');
  } catch (error) {
    if (db.inTransaction) db.exec('rollback');
    throw error;
  }
  mark?.advance(commits);
  return result;
}

function trackedOf(db: Db): Tracked {
  const found = tracked.get(db) ?? { count: counter(db) };
  tracked.set(db, found);
  return found;
}

function counter(db: Db): Statement {
  return db.prepare(
    `insert into meta (name, value) values ('commits', '1')
     on conflict (name) do update set value = cast(cast(value as integer) + 1 as text) returning value`,
  );
}

/**
 * Checks that a store in PostgreSQL holds every transaction up to the mark in `dir`. PostgreSQL can lose acknowledged
 * transactions when an asynchronous standby becomes the primary server, or when a backup is restored. `dir` may contain
 * an SQLite store only if `trawl migrate` has moved that store to PostgreSQL.
 * @param name the name that messages use for the store
 * @throws {RejectedError} if the store lacks transactions or is a different store, or if the folder has another store
 */
export function checkPostgresMark(dir: string, name: string, { cluster, commits }: HighWater): void {
  const path = join(dir, POSTGRES_MARK);
  if (existsSync(join(dir, STORE_FILE)) && readMoved(dir)?.cluster !== cluster) {
    throw new RejectedError(`${dir} has its own store (${STORE_FILE}): omit --store, or use another folder with --dir`);
  }
  if (!existsSync(path)) return;
  const advice = `To continue with the store as it is, delete ${path}, and start again`;
  const mark = parseHighWater(readFileSync(path, 'latin1'));
  if (mark === undefined) throw new RejectedError(`${path} is damaged; nothing was changed. ${advice}`);
  if (mark.cluster !== cluster) {
    throw new RejectedError(
      `the store ${name} is not the one that was used in ${dir} before; nothing was changed. ${advice}`,
    );
  }
  if (commits >= mark.commits) return;
  throw new RejectedError(
    `the store ${name} lost data: it holds ${commits} of ${mark.commits} transactions; nothing was changed. Use the ` +
      `PostgreSQL server that has all transactions. ${advice}`,
  );
}

/** Creates, in `dir`, the mark file of a PostgreSQL store. The caller must keep the mark up to date. */
export function openPostgresMark(dir: string, mark: HighWater): HighWaterFile {
  const path = join(dir, POSTGRES_MARK);
  writeDurablySync(path, formatHighWater(mark), OWNER_ONLY);
  return new HighWaterFile(path, mark.cluster);
}

export class HighWaterFile {
  readonly #path: string;
  readonly #cluster: string;
  #syncScheduled = false;

  constructor(path: string, cluster: string) {
    this.#path = path;
    this.#cluster = cluster;
  }

  advance(commits: number): void {
    const file = openSync(this.#path, 'r+');
    try {
      writeSync(file, formatHighWater({ cluster: this.#cluster, commits }), 0);
    } finally {
      closeSync(file);
    }
    if (this.#syncScheduled) return;
    this.#syncScheduled = true;
    setTimeout(() => void this.#sync(), SYNC_INTERVAL_MS).unref();
  }

  /** Syncs the mark to disk. An error is ignored, because the next commit or the next start rewrites the mark. */
  async #sync(): Promise<void> {
    this.#syncScheduled = false;
    const file = await open(this.#path, 'r').catch(() => undefined);
    if (file === undefined) return;
    await file.datasync().catch(() => {});
    await file.close();
  }
}
