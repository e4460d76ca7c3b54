/** Reads a store in PostgreSQL while no coordinator leads it. Every transaction is read-only. */
import type { Client } from 'pg';
import { RejectedError } from '../../../proto/errors.ts';
import { leaderThatRuns } from '../../leader/leader.ts';
import { checkPostgresMark } from '../high-water.ts';
import { movedError, unfinishedError } from '../moved-store.ts';
import { checkSchemaVersion } from '../schema.ts';
import { SqlStore } from '../sql-store.ts';
import type { StoreSnapshot } from '../store.ts';
import { type Connected, connect } from './connection.ts';
import { readLeadership } from './leadership.ts';
import { parsePostgresLocation } from './location.ts';
import { PostgresReader } from './postgres-reader.ts';
import { columnTypes, migrationMarks, storedVersion, UNMOVE } from './schema.ts';
import { StallWatch } from './stalls.ts';
import { Transactions } from './transactions.ts';

const READ_ONLY = { application_name: 'trawl read', options: '-c default_transaction_read_only=on' };

export class ReadOnlyPostgresStore extends SqlStore {
  readonly cluster: string;
  readonly reader: PostgresReader;
  /** The URL without its password. */
  readonly name: string;
  readonly #stalls: StallWatch;

  private constructor({ url }: Connected, name: string, { cluster, transactions }: Facts) {
    super(transactions.sql);
    this.name = name;
    this.cluster = cluster;
    this.#stalls = new StallWatch({ examine: async () => undefined, onProblem: () => {} });
    this.reader = new PostgresReader(url, this.#stalls, READ_ONLY);
  }

  /**
   * @param location the URL of the database
   * @param dir the coordinator's folder, which records the number of acknowledged transactions; undefined if there is
   * no such folder
   * @throws {BadInputError | UnreachableError} if the URL is invalid, or if the server does not answer
   * @throws {RejectedError} if the database has no complete store of this version, if the store lacks acknowledged
   * transactions, or if a coordinator leads the store
   */
  static async open(location: string, dir: string | undefined): Promise<ReadOnlyPostgresStore> {
    const parsed = parsePostgresLocation(location);
    const connected = await connect(parsed, READ_ONLY);
    try {
      return new ReadOnlyPostgresStore(connected, parsed.name, await factsOf(connected.client, parsed.name, dir));
    } finally {
      connected.cut();
    }
  }

  protected transact(): never {
    throw this.#rejection();
  }

  async snapshot(): Promise<StoreSnapshot> {
    throw this.#rejection();
  }

  #rejection(): RejectedError {
    return new RejectedError(`no coordinator leads the store ${this.name}, so it can only be read`);
  }

  async close(): Promise<void> {
    this.#stalls.close();
    await this.reader.close();
  }
}

interface Facts {
  readonly cluster: string;
  readonly transactions: Transactions;
}

async function factsOf(client: Client, name: string, dir: string | undefined): Promise<Facts> {
  const version = await storedVersion(client);
  if (version === undefined) throw new RejectedError(`the database ${name} has no store of trawl`);
  checkSchemaVersion(name, version);
  const { unfinished, moved } = await migrationMarks(client);
  if (unfinished !== undefined) throw unfinishedError(name, unfinished);
  if (moved !== undefined) throw movedError(name, moved, UNMOVE);
  await requireNoLeader(client, name);
  const { rows } = await client.query("select name, value from meta where name in ('cluster', 'commits')");
  const meta = new Map(rows.map((row) => [row.name, `${row.value}`]));
  const cluster = meta.get('cluster') ?? '';
  if (dir !== undefined) checkPostgresMark(dir, name, { cluster, commits: Number(meta.get('commits')) });
  return { cluster, transactions: new Transactions(await columnTypes(client)) };
}

/** Finds out whether a process leads (see leaderThatRuns). @throws {RejectedError} if a process leads */
async function requireNoLeader(client: Client, name: string): Promise<void> {
  const leader = await leaderThatRuns(() => readLeadership(client));
  if (leader === undefined) return;
  const { address } = leader;
  if (address === '') throw new RejectedError(`"trawl migrate" uses the store ${name}: retry after the migration`);
  throw new RejectedError(`the coordinator at ${address} leads the store ${name}: use --server ${address}`);
}
