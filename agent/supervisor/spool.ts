/**
 * Stores on disk the records that the coordinator has not acknowledged. The agent writes each record to the spool
 * before it sends the record, and deletes the record after the acknowledgement. Records therefore survive the death of
 * the agent's process, broken streams and an unavailable coordinator.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database, { type Database as Db, type Statement } from 'libsql';
import { sameAttempt } from '../../lib/domain/attempt-key.ts';
import { claimPrivateFolder } from '../../lib/files/private-files.ts';
import { RejectedError } from '../../proto/errors.ts';
import { type AttemptKey, Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { callErrorCode } from './coordinator-client.ts';

export interface Spooled {
  /** The id of the record. Ids increase with each record. */
  readonly id: number;
  readonly record: RecordMessage;
}

interface NewRecord extends Spooled {
  /** The size of the encoded record. */
  readonly bytes: number;
}

/** The maximum total size of the records that are also kept in memory, in bytes. */
const MAX_RECENT_BYTES = 1024 * 1024;

export class Spool {
  readonly #db: Db;
  readonly #insert: Statement<unknown[]>;
  readonly #after: Statement<unknown[]>;
  readonly #acknowledge: Statement<unknown[]>;
  readonly #discard: Statement<unknown[]>;
  readonly #attempts: Statement<unknown[]>;
  readonly #holds: Statement<unknown[]>;
  readonly #first: Statement<unknown[]>;
  /**
   * The records of the spool whose ids are greater than `#recentAfter`. They are usually sent immediately, and need not
   * be read from the database then.
   */
  #recent: NewRecord[] = [];
  #recentAfter = Number.POSITIVE_INFINITY;

  /** @param db a database that no other code uses */
  constructor(db: Db) {
    this.#db = db;
    this.#db.exec(
      `create table if not exists records (
         id integer primary key autoincrement, sweep text not null, trial text not null, attempt integer not null,
         seq integer not null, record blob not null)`,
    );
    this.#db.exec('create index if not exists by_attempt on records (sweep, trial, attempt, seq)');
    this.#insert = this.#db.prepare('insert into records (sweep, trial, attempt, seq, record) values (?, ?, ?, ?, ?)');
    this.#after = this.#db.prepare('select id, record from records where id > ? order by id limit ?');
    this.#acknowledge = this.#db.prepare(
      'delete from records where sweep = ? and trial = ? and attempt = ? and seq <= ?',
    );
    this.#discard = this.#db.prepare('delete from records where sweep = ? and trial = ? and attempt = ?');
    this.#attempts = this.#db.prepare('select distinct sweep as sweepId, trial as trialId, attempt from records');
    this.#holds = this.#db.prepare('select 1 from records where sweep = ? and trial = ? and attempt = ? limit 1');
    this.#first = this.#db.prepare('select 1 from records limit 1');
  }

  /** Adds records. The caller must not change them later. */
  add(records: readonly RecordMessage[]): void {
    const added: NewRecord[] = [];
    this.#inTransaction(() => {
      for (const record of records) {
        const { sweepId, trialId, attempt } = keyOf(record);
        const bytes = RecordMessage.encode(record).finish();
        const { lastInsertRowid } = this.#insert.run(sweepId, trialId, attempt, record.seq, Buffer.from(bytes));
        added.push({ id: Number(lastInsertRowid), record, bytes: bytes.length });
      }
    });
    this.#addRecent(added);
  }

  #addRecent(added: readonly NewRecord[]): void {
    const [first] = added;
    if (first === undefined) return;
    // All earlier records have smaller ids.
    if (this.#recent.length === 0) this.#recentAfter = first.id - 1;
    this.#recent.push(...added);
    let bytes = this.#recent.reduce((sum, one) => sum + one.bytes, 0);
    let dropped = 0;
    for (; bytes > MAX_RECENT_BYTES; dropped++) bytes -= this.#recent[dropped]?.bytes ?? 0;
    this.#forgetUpTo(this.#recent[dropped - 1]?.id ?? this.#recentAfter);
  }

  /** Removes the records up to the id from memory. They are then read from the database. */
  #forgetUpTo(id: number): void {
    this.#recentAfter = Math.max(this.#recentAfter, id);
    this.#recent = this.#recent.filter((one) => one.id > this.#recentAfter);
  }

  /**
   * Returns up to `limit` records with ids greater than `id`, in order. The call is fast if `id` is the id of the last
   * record that the previous call returned.
   */
  after(id: number, limit: number): Spooled[] {
    if (id >= this.#recentAfter) {
      this.#forgetUpTo(id);
      return this.#recent.slice(0, limit);
    }
    const rows = this.#after.all(id, limit) as { id: number; record: ArrayBuffer }[];
    return rows.map((row) => ({ id: row.id, record: RecordMessage.decode(new Uint8Array(row.record)) }));
  }

  /** Deletes each attempt's records up to the acknowledged sequence number. */
  acknowledge(acks: readonly { readonly key: AttemptKey; readonly seq: number }[]): void {
    this.#inTransaction(() => {
      for (const { key, seq } of acks) this.#acknowledge.run(key.sweepId, key.trialId, key.attempt, seq);
    });
    this.#removeRecent((record) => acks.some(({ key, seq }) => record.seq <= seq && sameAttempt(keyOf(record), key)));
  }

  /** Deletes all records of an attempt that the coordinator no longer accepts. */
  discard(key: AttemptKey): void {
    this.#discard.run(key.sweepId, key.trialId, key.attempt);
    this.#removeRecent((record) => sameAttempt(keyOf(record), key));
  }

  #removeRecent(isRemoved: (record: RecordMessage) => boolean): void {
    this.#recent = this.#recent.filter(({ record }) => !isRemoved(record));
  }

  /** Returns whether the spool contains records of the attempt. */
  holds({ sweepId, trialId, attempt }: AttemptKey): boolean {
    return this.#holds.get(sweepId, trialId, attempt) !== undefined;
  }

  /** Returns the attempts with records in the spool. */
  attempts(): AttemptKey[] {
    return this.#attempts.all() as AttemptKey[];
  }

  isEmpty(): boolean {
    return this.#first.get() === undefined;
  }

  /** Returns the number of records in the spool. */
  size(): number {
    return (this.#db.prepare('select count(*) as n from records').get() as { n: number }).n;
  }

  close(): void {
    this.#db.close();
  }

  #inTransaction(write: () => void): void {
    this.#db.exec('begin');
    try {
      write();
      this.#db.exec('commit');
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('rollback');
      throw error;
    }
  }
}

export interface OpenedSpool {
  readonly spool: Spool;
  /** The new path of a damaged spool that was moved aside. Undefined if no spool was damaged. */
  readonly damagedFile: string | undefined;
}

/**
 * Opens the spool in the agent's folder, and locks it. A spool that is damaged, for example by a power failure, is
 * moved aside.
 * @throws {RejectedError} if another agent uses the folder
 */
export function openSpool(dir: string): OpenedSpool {
  claimPrivateFolder(dir);
  const path = join(dir, 'spool.db');
  try {
    const intact = openIntact(path);
    if (intact !== undefined) return { spool: new Spool(intact), damagedFile: undefined };
    // The coordinator has not acknowledged the lost records, so their attempts end as lost and their trials run again.
    const damagedFile = moveAside(path);
    return { spool: new Spool(openDatabase(path)), damagedFile };
  } catch (error) {
    if (callErrorCode(error) === 'SQLITE_BUSY') {
      throw new RejectedError(`another agent uses the folder ${dir}; give each agent its own folder with --dir`);
    }
    throw error;
  }
}

function openIntact(path: string): Db | undefined {
  let db: Db | undefined;
  try {
    db = openDatabase(path);
    const [found] = db.prepare('pragma quick_check(1)').all() as { quick_check: string }[];
    if (found?.quick_check === 'ok') return db;
  } catch (error) {
    if (!['SQLITE_CORRUPT', 'SQLITE_NOTADB'].includes(`${callErrorCode(error)}`)) throw error;
  }
  db?.close();
  return undefined;
}

/** @throws {SqliteError} SQLITE_BUSY if another process has the file open */
function openDatabase(path: string): Db {
  const db = new Database(path);
  try {
    // The operating system holds the lock, and releases it when the agent dies for any reason.
    db.exec('pragma locking_mode = exclusive');
    db.exec('pragma journal_mode = wal');
    // Writes do not wait for the disk: they are in the operating system's page cache, which survives the death of the
    // process. A power failure can lose records, but it also ends the running attempts.
    db.exec('pragma synchronous = off');
    // In this locking mode, the first transaction takes a lock that lasts until the file is closed.
    db.exec('begin exclusive; commit');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function moveAside(path: string): string {
  const aside = `${path}.damaged`;
  rmSync(`${aside}-wal`, { force: true });
  renameSync(path, aside);
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
  return aside;
}

function keyOf(record: RecordMessage): AttemptKey {
  if (record.key === undefined) throw new Error('a record must name its attempt');
  return record.key;
}
