/** The store in PostgreSQL. Only one connection writes: the connection of the leader. */
import { createReadStream, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { type StoredFile, storedFiles } from '../../backup/backup-folder.ts';
import type { Term } from '../../leader/leadership.ts';
import { PostgresRows } from '../copy/postgres-rows.ts';
import { copyStoreRows } from '../copy/rows.ts';
import { writeSqliteStore } from '../copy/sqlite-rows.ts';
import { checkPostgresMark, type HighWaterFile, openPostgresMark } from '../high-water.ts';
import { SqlStore } from '../sql-store.ts';
import type { AttributedChange, StoreSnapshot } from '../store.ts';
import type { Steps } from '../write-sql.ts';
import { connect } from './connection.ts';
import { type PostgresLocation, parsePostgresLocation, shownUrl } from './location.ts';
import { PostgresReader } from './postgres-reader.ts';
import { RepeatedTransactions } from './repeated-transactions.ts';
import { openSession, type Session, terminateSession } from './session.ts';
import { commitWaitProblem, StallWatch, serves } from './stalls.ts';
import { isDisconnect, Transactions, type TrialKey } from './transactions.ts';

/** The settings of the connection that is used to find out why requests are not answered. */
const EXAMINATION = {
  application_name: 'trawl examination',
  pipeline: false,
  connectionTimeoutMillis: 2_000,
  query_timeout: 2_000,
};

/**
 * The name of the temporary file to which a backup copies the store. A file that an earlier backup left is replaced.
 */
const SNAPSHOT_FILE = 'backup.part';

export interface PostgresStoreOptions {
  /** The coordinator's term as the leader. After the term ends, every write fails with a NotLeaderError. */
  readonly term: Term;
  /**
   * Called with the reason if PostgreSQL does not answer for some seconds. Called again when the reason changes, and
   * with undefined when PostgreSQL answers again.
   */
  readonly onProblem: (problem: string | undefined) => void;
}

export class PostgresStore extends SqlStore {
  readonly cluster: string;
  readonly reader: PostgresReader;
  readonly #location: PostgresLocation;
  readonly #dir: string;
  readonly #transactions: Transactions;
  readonly #repeated: RepeatedTransactions<Session>;
  readonly #stalls: StallWatch;

  private constructor(
    location: PostgresLocation,
    dir: string,
    session: Session,
    mark: HighWaterFile,
    { term, onProblem }: PostgresStoreOptions,
  ) {
    const transactions = new Transactions(session.columns);
    super(transactions.sql);
    this.#location = location;
    this.#dir = dir;
    this.#transactions = transactions;
    this.#repeated = new RepeatedTransactions(session, {
      name: location.name,
      reopen: async ({ cut }) => {
        cut();
        const opened = await openSession(location, term);
        this.reader.moveTo(opened.url);
        return opened;
      },
      onDurable: (commits) => mark.advance(commits),
    });
    this.cluster = session.cluster;
    this.#stalls = new StallWatch({ examine: () => this.#examine(), onProblem });
    this.reader = new PostgresReader(session.url, this.#stalls);
  }

  /**
   * Opens the store, and creates it if the database is empty.
   * @param location the URL of the database, such as `postgres://user@host/database?sslmode=verify-full`
   * @param dir the coordinator's folder, which records the number of acknowledged transactions
   * @throws {BadInputError} if the URL is invalid
   * @throws {UnreachableError} if the server does not answer
   * @throws {NotLeaderError} if the term has ended
   * @throws {RejectedError} if the database cannot be used, or if it lacks acknowledged transactions
   */
  static async open(location: string, dir: string, options: PostgresStoreOptions): Promise<PostgresStore> {
    const parsed = parsePostgresLocation(location);
    const session = await openSession(parsed, options.term);
    const { cluster, counters } = session;
    try {
      checkPostgresMark(dir, parsed.name, { cluster, commits: counters.commits });
      const mark = openPostgresMark(dir, { cluster, commits: counters.commits });
      return new PostgresStore(parsed, dir, session, mark, options);
    } catch (error) {
      session.cut();
      throw error;
    }
  }

  protected transact<T>(work: () => Steps<T>, changes: readonly AttributedChange[] = []): Promise<T> {
    const reported = reportedTrials(changes);
    return this.#stalls.during(
      this.#repeated.run(
        ({ client, counters }) => this.#transactions.run(client, counters, work, reported),
        () => this.forgetKnown(),
      ),
    );
  }

  /** Returns why the server does not answer. Closes connections to a server that is no longer the primary. */
  async #examine(): Promise<string | undefined> {
    try {
      const { client, url, cut } = await connect(this.#location, EXAMINATION);
      try {
        const { session } = this.#repeated;
        if (url.href !== session.url.href) {
          session.cut();
          this.reader.moveTo(url);
          return `the primary server of PostgreSQL is now ${shownUrl(url)}; connecting to it`;
        }
        if (!(await serves(client, session.pid))) {
          session.cut();
          return 'the connection to PostgreSQL was lost; connecting again';
        }
        return await commitWaitProblem(client);
      } finally {
        cut();
      }
    } catch (error) {
      return errorMessage(error);
    }
  }

  /** Copies the rows into an SQLite file in the coordinator's folder. The copy is a consistent snapshot. */
  async snapshot(): Promise<StoreSnapshot> {
    const path = join(this.#dir, SNAPSHOT_FILE);
    const end = () => rmSync(path, { force: true });
    const { client, cut } = await connect(this.#location, { application_name: 'trawl backup', query_timeout: 0 });
    try {
      await client.query('begin isolation level repeatable read, read only');
      const rows = new PostgresRows(client);
      await writeSqliteStore(path, (copy) => copyStoreRows(rows, copy));
      return { size: statSync(path).size, files: filesIn(path), read: () => createReadStream(path), end };
    } catch (error) {
      end();
      throw error;
    } finally {
      cut();
    }
  }

  override async abandonWrite(): Promise<void> {
    this.#repeated.end();
    try {
      const primary = await connect(this.#location, EXAMINATION);
      await terminateSession(primary, this.#repeated.session).finally(primary.cut);
    } catch {
      // If the server does not answer, the write ends when its connection is closed.
    }
  }

  async close(): Promise<void> {
    this.#stalls.close();
    await this.#repeated.session.client.end().catch((error: unknown) => {
      if (!isDisconnect(error)) throw new Error(`could not close the connection: ${errorMessage(error)}`);
    });
    await this.reader.close();
  }
}

function filesIn(path: string): readonly StoredFile[] {
  const db = new Database(path);
  try {
    return storedFiles(db);
  } finally {
    db.close();
  }
}

function reportedTrials(changes: readonly AttributedChange[]): TrialKey[] {
  const trials = new Map<string, TrialKey>();
  for (const { change } of changes) {
    if (change.kind === 'report') trials.set(`${change.key.sweepId}/${change.key.trialId}`, change.key);
  }
  return [...trials.values()];
}
