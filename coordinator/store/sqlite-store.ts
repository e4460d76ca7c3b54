/** The embedded store: one SQLite file in the coordinator's folder. Only one process can open the store at a time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Database } from 'libsql';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { RejectedError } from '../../proto/errors.ts';
import { storedFiles } from '../backup/backup-folder.ts';
import { commitCounted } from './high-water.ts';
import { clusterName, type OpenStoreOptions, openStore } from './open.ts';
import { SqliteReader } from './reader.ts';
import { SqlStore } from './sql-store.ts';
import type { StoreSnapshot } from './store.ts';
import { SqliteSql, type Steps } from './write-sql.ts';

/** The default interval between checkpoints of SQLite, in pages. */
const CHECKPOINT_PAGES = 1_000;

export class SqliteStore extends SqlStore {
  readonly cluster: string;
  readonly reader: SqliteReader;
  readonly db: Database;
  readonly #sql: SqliteSql;
  readonly #dir: string;

  /** @param dir the coordinator's folder, which contains the file of the store */
  constructor(db: Database, dir: string) {
    const sql = new SqliteSql(db);
    super(sql);
    this.#sql = sql;
    this.db = db;
    this.#dir = dir;
    this.cluster = clusterName(db);
    this.reader = new SqliteReader(db);
  }

  /** Opens the store in `dir`. @throws the errors of `openStore` */
  static open(dir: string, options: OpenStoreOptions = {}): SqliteStore {
    return new SqliteStore(openStore(dir, options), dir);
  }

  protected async transact<T>(work: () => Steps<T>): Promise<T> {
    try {
      return commitCounted(this.db, () => this.complete(work()));
    } catch (error) {
      this.forgetKnown();
      throw error;
    }
  }

  /** Runs a write inside a transaction. @returns the result of the write */
  protected complete<T>(steps: Steps<T>): T {
    return this.#sql.complete(steps);
  }

  async snapshot(): Promise<StoreSnapshot> {
    const db = this.db;
    // Later commits stay in the write-ahead log, because the store's file must not change while the file is sent.
    db.exec('pragma wal_autocheckpoint = 0');
    const end = () => {
      if (db.open) db.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    };
    try {
      const left = db.prepare('pragma wal_checkpoint(truncate)').get() as { busy: number };
      if (left.busy !== 0) throw new RejectedError('the store is busy; retry the backup');
      const path = join(this.#dir, STORE_FILE);
      return { size: statSync(path).size, files: storedFiles(db), read: () => readInChildProcess(path), end };
    } catch (error) {
      end();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.db.close();
  }
}

/**
 * Reads a file in a separate process. A process that closes any descriptor of a file loses all of its locks on the
 * file, including SQLite's lock on the store.
 */
async function* readInChildProcess(path: string): AsyncGenerator<Buffer> {
  const reader = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  reader.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exited = once(reader, 'exit') as Promise<[number | null]>;
  exited.catch(() => {});
  try {
    yield* reader.stdout as Readable & AsyncIterable<Buffer>;
    const [code] = await exited;
    if (code !== 0) throw new Error(`could not read the store: ${errors.trim()}`);
  } finally {
    reader.kill();
  }
}
