/** The store in PostgreSQL. One connection of the leader writes. */
import { errorMessage } from '../../../lib/text/error-message.ts';
import { RejectedError } from '../../../proto/errors.ts';
import type { Term } from '../../leader/leadership.ts';
import { checkPostgresMark, type HighWaterFile, openPostgresMark } from '../high-water.ts';
import { SqlStore } from '../sql-store.ts';
import type { AttributedChange, StoreSnapshot } from '../store.ts';
import type { Steps } from '../write-sql.ts';
import { parsePostgresUrl, shownUrl } from './connection.ts';
import { PostgresReader } from './postgres-reader.ts';
import { RepeatedTransactions } from './repeated-transactions.ts';
import { openSession, type Session } from './session.ts';
import { isDisconnect, Transactions, type TrialKey } from './transactions.ts';

export class PostgresStore extends SqlStore {
  readonly cluster: string;
  readonly reader: PostgresReader;
  readonly #transactions: Transactions;
  readonly #repeated: RepeatedTransactions<Session>;

  private constructor(url: URL, term: Term, session: Session, transactions: Transactions, mark: HighWaterFile) {
    super(transactions.sql);
    this.#transactions = transactions;
    this.#repeated = new RepeatedTransactions(session, {
      name: shownUrl(url),
      reopen({ client }) {
        // The end of a connection without a server takes as long as the system repeats its messages.
        void client.end().catch(() => {});
        return openSession(url, term);
      },
      onDurable: (commits) => mark.advance(commits),
    });
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

  protected transact<T>(work: () => Steps<T>, changes: readonly AttributedChange[] = []): Promise<T> {
    const reported = reportedTrials(changes);
    return this.#repeated.run(
      ({ client, counters }) => this.#transactions.run(client, counters, work, reported),
      () => this.forgetKnown(),
    );
  }

  async snapshot(): Promise<StoreSnapshot> {
    throw new RejectedError(
      'the store is in PostgreSQL: back it up with the tools of PostgreSQL, such as pg_basebackup or pg_dump, and copy ' +
        "the artifacts from the coordinator's folder or the artifact store",
    );
  }

  async close(): Promise<void> {
    await this.#repeated.session.client.end().catch((error: unknown) => {
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
