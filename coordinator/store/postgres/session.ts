/** Opens a store in PostgreSQL for writing: creates its tables, and reads its counters. */
import { randomBytes } from 'node:crypto';
import type { Term } from '../../leader/leadership.ts';
import { type Connected, connect, schemaError } from './connection.ts';
import { becomeWriter } from './leadership.ts';
import type { PostgresLocation } from './location.ts';
import { columnTypes, ensurePostgresSchema } from './schema.ts';
import type { ColumnTypes, Counters } from './transactions.ts';

export interface Session extends Connected {
  /** The id of the server's process that serves this connection. */
  readonly pid: number;
  readonly columns: ColumnTypes;
  /** The coordinator's cluster name on NATS, which is unique to the store. */
  readonly cluster: string;
  readonly counters: Counters;
}

/**
 * The maximum time that a new connection waits until it may write. It waits until the transactions of earlier
 * connections end, and these transactions can wait for a synchronous standby server.
 */
const WRITER_LIMIT_MS = 15_000;

/**
 * Connects, and creates the store if it is missing. Afterward, no earlier connection of the term can write.
 * @throws {NotLeaderError} if the term has ended
 * @throws {RejectedError | UnreachableError} if the database cannot be used
 */
export async function openSession(location: PostgresLocation, term: Term): Promise<Session> {
  const connected = await connect(location);
  const { client } = connected;
  try {
    const writer = await inTime(connected, becomeWriter(client, term));
    await ensurePostgresSchema(client, randomBytes(4).toString('hex'), writer);
    const { rows } = await client.query(
      "select name, value from meta where name in ('cluster', 'commits', 'last event')",
    );
    const meta = new Map(rows.map(({ name, value }) => [name, value]));
    const counters = { writer, commits: Number(meta.get('commits')), lastEvent: Number(meta.get('last event')) };
    const { pid } = (await client.query('select pg_backend_pid() as pid')).rows[0];
    return { ...connected, pid, columns: await columnTypes(client), cluster: `${meta.get('cluster')}`, counters };
  } catch (error) {
    connected.cut();
    throw schemaError(error, connected.url);
  }
}

/** Waits for the answer, and closes the connection if the server does not answer in time. */
async function inTime<T>({ cut }: Connected, answer: Promise<T>): Promise<T> {
  const timer = setTimeout(cut, WRITER_LIMIT_MS);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Ends a session on its server, so that a transaction of the session cannot become durable later. If another server is
 * the primary now, does nothing, because on that server the process id can belong to another session.
 * @param primary a connection to the server that is the primary now
 */
export async function terminateSession(
  primary: { readonly url: URL; readonly client: Pick<Session['client'], 'query'> },
  { url, pid }: Pick<Session, 'url' | 'pid'>,
): Promise<void> {
  if (primary.url.href !== url.href) return;
  // A session whose commit waits for a synchronous standby server is not ended. Ending the session would make the
  // commit visible, although the commit could still be lost.
  await primary.client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and wait_event is distinct from 'SyncRep'",
    [pid],
  );
}
