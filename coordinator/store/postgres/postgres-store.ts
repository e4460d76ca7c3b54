/**
 * The store in PostgreSQL. One connection of the leader writes. If the connection is lost, the store connects again. It
 * then reads the number of transactions, which shows whether the last transaction is durable, and repeats the
 * transaction if it is not.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { NotLeaderError, RejectedError, UnreachableError } from '../../../proto/errors.ts';
import type { Term } from '../../leader/leadership.ts';
import { checkPostgresMark, type HighWaterFile, openPostgresMark } from '../high-water.ts';
import { SqlStore } from '../sql-store.ts';
import type { AttributedChange, StoreSnapshot } from '../store.ts';
import type { Steps } from '../write-sql.ts';
import { parsePostgresUrl, shownUrl } from './connection.ts';
import { isNotWriter } from './leadership.ts';
import { PostgresReader } from './postgres-reader.ts';
import { openSession, type Session } from './session.ts';
import { isDisconnect, Transactions, type TrialKey, UnknownOutcomeError } from './transactions.ts';

const RECONNECT_LIMIT_MS = 60_000;
const RECONNECT_INTERVAL_MS = 250;

export class PostgresStore extends SqlStore {
  readonly cluster: string;
  readonly reader: PostgresReader;
  readonly #url: URL;
  readonly #term: Term;
  readonly #transactions: Transactions;
  readonly #mark: HighWaterFile;
  #session: Session;

  private constructor(url: URL, term: Term, session: Session, transactions: Transactions, mark: HighWaterFile) {
    super(transactions.sql);
    this.#url = url;
    this.#term = term;
    this.#session = session;
    this.#transactions = transactions;
    this.#mark = mark;
    this.cluster = session.cluster;
    this.reader = new PostgresReader(url);
  }

  /**
   * Opens the store. A missing store is created in an empty database.
   * @param location the URL of the database, such as `postgres://user@host/database?sslmode=verify-full`
   * @param dir the coordinator's folder, which records the number of acknowledged transactions
   * @param term the coordinator's term as the leader; after its end, every write fails with a NotLeaderError
   * @throws {BadInputError} if the URL is invalid
   * @throws {UnreachableError} if the server does not answer
   * @throws {NotLeaderError} if the term has ended
   * @throws {RejectedError} if the database cannot be used, or if it lacks acknowledged transactions
   */
  static async open(location: string, dir: string, term: Term): Promise<PostgresStore> {
    const url = parsePostgresUrl(location);
    const session = await openSession(url, term);
    const { cluster, columns, counters } = session;
    try {
      checkPostgresMark(dir, shownUrl(url), { cluster, commits: counters.commits });
      const mark = openPostgresMark(dir, { cluster, commits: counters.commits });
      return new PostgresStore(url, term, session, new Transactions(columns), mark);
    } catch (error) {
      await session.client.end();
      throw error;
    }
  }

  protected async transact<T>(work: () => Steps<T>, changes: readonly AttributedChange[] = []): Promise<T> {
    const reported = reportedTrials(changes);
    while (true) {
      const { client, counters } = this.#session;
      try {
        const done = await this.#transactions.run(client, counters, work, reported);
        this.#session = { ...this.#session, counters: done.counters };
        this.#mark.advance(done.counters.commits);
        return done.result;
      } catch (error) {
        this.forgetKnown();
        if (isNotWriter(error)) throw new NotLeaderError('another coordinator leads', { cause: error });
        const isUnknown = error instanceof UnknownOutcomeError;
        if (!isUnknown && !isDisconnect(error)) throw error;
        await this.#reconnect();
        const { commits } = this.#session.counters;
        if (isUnknown && commits === counters.commits + 1) {
          this.#mark.advance(commits);
          return error.result as T;
        }
        if (commits !== counters.commits) {
          throw new RejectedError(
            `the store ${shownUrl(this.#url)} has ${commits} transactions after a lost connection, but the coordinator ` +
              `made ${counters.commits}: PostgreSQL has lost transactions, or another program has changed the store`,
          );
        }
      }
    }
  }

  /**
   * @throws {UnreachableError} if the server does not answer for a minute
   * @throws {NotLeaderError} if the term has ended
   */
  async #reconnect(): Promise<void> {
    // The end of a connection without a server takes as long as the system repeats its messages.
    void this.#session.client.end().catch(() => {});
    const begun = performance.now();
    while (true) {
      try {
        this.#session = await openSession(this.#url, this.#term);
        return;
      } catch (error) {
        const isUnreachable = error instanceof UnreachableError && !(error instanceof NotLeaderError);
        const canRetry = isUnreachable || isDisconnect(error);
        if (!canRetry || performance.now() - begun > RECONNECT_LIMIT_MS) throw error;
        await sleep(RECONNECT_INTERVAL_MS);
      }
    }
  }

  async snapshot(): Promise<StoreSnapshot> {
    throw new RejectedError(
      'the store is in PostgreSQL: back it up with the tools of PostgreSQL, such as pg_basebackup or pg_dump, and copy ' +
        "the artifacts from the coordinator's folder or the artifact store",
    );
  }

  async close(): Promise<void> {
    await this.#session.client.end().catch((error: unknown) => {
      if (!isDisconnect(error)) throw new Error(`could not close the connection: ${errorMessage(error)}`);
    });
    await this.reader.close();
  }
}

function reportedTrials(changes: readonly AttributedChange[]): TrialKey[] {
  const trials = new Map<string, TrialKey>();
  for (const { change } of changes) {
    if (change.kind === 'report') trials.set(`${change.key.sweepId}/${change.key.trialId}`, change.key);
  }
  return [...trials.values()];
}
