/** Opens a store in PostgreSQL for writing: creates its tables, and reads its counters. */
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import type { Term } from '../../leader/leadership.ts';
import { connect, schemaError } from './connection.ts';
import { becomeWriter } from './leadership.ts';
import { columnTypes, ensurePostgresSchema } from './schema.ts';
import type { ColumnTypes, Counters } from './transactions.ts';

export interface Session {
  readonly client: Client;
  readonly columns: ColumnTypes;
  /** The coordinator's cluster name on NATS, which is unique to the store. */
  readonly cluster: string;
  readonly counters: Counters;
}

/**
 * Connects. From then on, no earlier connection of the term can write. A missing store is created.
 * @throws {NotLeaderError} if the term has ended
 * @throws {RejectedError | UnreachableError} if the database cannot be used
 */
export async function openSession(url: URL, term: Term): Promise<Session> {
  const client = await connect(url);
  try {
    const writer = await becomeWriter(client, term);
    await ensurePostgresSchema(client, randomBytes(4).toString('hex'), writer);
    const { rows } = await client.query(
      "select name, value from meta where name in ('cluster', 'commits', 'last event')",
    );
    const meta = new Map(rows.map(({ name, value }) => [name, value]));
    const counters = { writer, commits: Number(meta.get('commits')), lastEvent: Number(meta.get('last event')) };
    return { client, columns: await columnTypes(client), cluster: `${meta.get('cluster')}`, counters };
  } catch (error) {
    await client.end().catch(() => {});
    throw schemaError(error, url);
  }
}
