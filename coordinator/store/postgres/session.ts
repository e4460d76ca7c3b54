/** Opens a store in PostgreSQL for writing: locks the store, creates its tables, and reads its counters. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { RejectedError, StoreInUseError } from '../../../proto/errors.ts';
import { connect, shownUrl } from './connection.ts';
import { columnTypes, ensurePostgresSchema, lockStore } from './schema.ts';
import type { ColumnTypes, Counters } from './transactions.ts';

/** PostgreSQL needs a moment to notice that a process which held the lock has died. */
const LOCK_LIMIT_MS = 5_000;
const LOCK_INTERVAL_MS = 100;

export interface Session {
  readonly client: Client;
  readonly columns: ColumnTypes;
  /** The coordinator's cluster name on NATS, which is unique to the store. */
  readonly cluster: string;
  readonly counters: Counters;
}

/**
 * Connects, and locks the store until the connection ends. A missing store is created.
 * @param previous the connection that this session replaces; if PostgreSQL has not noticed its end, it is ended
 * @throws {StoreInUseError} if another coordinator uses the store
 * @throws {RejectedError | UnreachableError} if the database cannot be used
 */
export async function openSession(url: URL, previous?: number): Promise<Session> {
  const client = await connect(url);
  try {
    await lock(client, url, previous);
    await ensurePostgresSchema(client, randomBytes(4).toString('hex'));
    const { rows } = await client.query(
      "select name, value from meta where name in ('cluster', 'commits', 'last event')",
    );
    const meta = new Map(rows.map(({ name, value }) => [name, value]));
    const counters = { commits: Number(meta.get('commits')), lastEvent: Number(meta.get('last event')) };
    return { client, columns: await columnTypes(client), cluster: `${meta.get('cluster')}`, counters };
  } catch (error) {
    await client.end().catch(() => {});
    throw isForbidden(error)
      ? new RejectedError(
          `the user of ${shownUrl(url)} may not create or change the tables of the store (${error.message}): make the ` +
            'user the owner of the database',
        )
      : error;
  }
}

async function lock(client: Client, url: URL, previous: number | undefined): Promise<void> {
  const begun = performance.now();
  while (!(await lockStore(client))) {
    if (previous !== undefined) {
      await client.query(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and pid = $1",
        [previous],
      );
    }
    if (performance.now() - begun > LOCK_LIMIT_MS) {
      throw new StoreInUseError(
        `the store ${shownUrl(url)} is in use by another coordinator: only one can open it at a time`,
      );
    }
    await sleep(LOCK_INTERVAL_MS);
  }
}

function isForbidden(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === '42501';
}
