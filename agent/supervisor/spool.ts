/**
 * Records that the coordinator has not acknowledged, on disk. Written before a record is sent, deleted when it is
 * acknowledged: a record outlives the agent's process, a broken stream and a coordinator that is away.
 */
import type { Database as Db, Statement } from 'libsql';
import { type AttemptKey, Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';

export interface Spooled {
  /** Grows with each record spooled. */
  readonly id: number;
  readonly record: RecordMessage;
}

export class Spool {
  readonly #db: Db;
  readonly #insert: Statement<unknown[]>;
  readonly #after: Statement<unknown[]>;
  readonly #acknowledge: Statement<unknown[]>;
  readonly #forget: Statement<unknown[]>;
  readonly #attempts: Statement<unknown[]>;
  readonly #holds: Statement<unknown[]>;
  readonly #oldest: Statement<unknown[]>;

  /** @param db this spool's alone */
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
    this.#forget = this.#db.prepare('delete from records where sweep = ? and trial = ? and attempt = ?');
    this.#attempts = this.#db.prepare('select distinct sweep as sweepId, trial as trialId, attempt from records');
    this.#holds = this.#db.prepare('select 1 from records where sweep = ? and trial = ? and attempt = ? limit 1');
    this.#oldest = this.#db.prepare('select min(id) as id from records');
  }

  add(records: readonly RecordMessage[]): void {
    this.#inTransaction(() => {
      for (const record of records) {
        const { sweepId, trialId, attempt } = keyOf(record);
        const bytes = RecordMessage.encode(record).finish();
        this.#insert.run(sweepId, trialId, attempt, record.seq, Buffer.from(bytes));
      }
    });
  }

  after(id: number, limit: number): Spooled[] {
    const rows = this.#after.all(id, limit) as { id: number; record: ArrayBuffer }[];
    return rows.map((row) => ({ id: row.id, record: RecordMessage.decode(new Uint8Array(row.record)) }));
  }

  /** Deletes each attempt's records up to the sequence number that is durable. */
  acknowledge(acks: readonly { readonly key: AttemptKey; readonly seq: number }[]): void {
    this.#inTransaction(() => {
      for (const { key, seq } of acks) this.#acknowledge.run(key.sweepId, key.trialId, key.attempt, seq);
    });
  }

  /** Nobody wants this attempt's records. */
  forget(key: AttemptKey): void {
    this.#forget.run(key.sweepId, key.trialId, key.attempt);
  }

  /** Whether records of the attempt wait. */
  holds({ sweepId, trialId, attempt }: AttemptKey): boolean {
    return this.#holds.get(sweepId, trialId, attempt) !== undefined;
  }

  /** Attempts of which records wait. */
  attempts(): AttemptKey[] {
    return this.#attempts.all() as AttemptKey[];
  }

  /** The oldest record's id; undefined when the spool is empty. */
  oldest(): number | undefined {
    return (this.#oldest.get() as { id: number | null }).id ?? undefined;
  }

  /** Records that wait. */
  size(): number {
    return (this.#db.prepare('select count(*) as n from records').get() as { n: number }).n;
  }

  close(): void {
    this.#db.close();
  }

  #inTransaction(work: () => void): void {
    this.#db.exec('begin');
    try {
      work();
      this.#db.exec('commit');
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('rollback');
      throw error;
    }
  }
}

function keyOf(record: RecordMessage): AttemptKey {
  if (record.key === undefined) throw new Error('a record must name its attempt');
  return record.key;
}
