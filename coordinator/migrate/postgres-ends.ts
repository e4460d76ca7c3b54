/**
 * Moves a store out of or into PostgreSQL. Meanwhile, this process is the leader of the store, so that no coordinator
 * uses the database.
 */
import type { Client } from 'pg';
import { pino } from 'pino';
import { RejectedError } from '../../proto/errors.ts';
import { electedAlone, Leader, newHolder } from '../leader/leader.ts';
import type { Leadership } from '../leader/leadership.ts';
import { PostgresRows } from '../store/copy/postgres-rows.ts';
import { OWN_META, type RowSource, type RowTarget } from '../store/copy/rows.ts';
import { openPostgresMark } from '../store/high-water.ts';
import { type Connected, connect, schemaError } from '../store/postgres/connection.ts';
import { PostgresElection } from '../store/postgres/election.ts';
import { becomeWriter } from '../store/postgres/leadership.ts';
import { type PostgresLocation, parsePostgresLocation } from '../store/postgres/location.ts';
import { ensurePostgresSchema, migrationMarks, storedVersion, UNMOVE } from '../store/postgres/schema.ts';
import { checkSchemaVersion } from '../store/schema.ts';
import { storeTables } from '../store/store-tables.ts';
import { type NewStore, type OriginStore, unfinishedOf } from './store-ends.ts';

/** The time in milliseconds after which PostgreSQL ends the transaction of a suspended migration. */
const IDLE_LIMIT_MS = 600_000;
/** The interval between the statements that keep the transaction of the old store open while files are copied. */
const KEEP_OPEN_INTERVAL_MS = IDLE_LIMIT_MS / 10;

interface Led {
  /** The number of the connection, which each of its transactions must name (see becomeWriter). */
  readonly writer: number;
  release(): Promise<void>;
}

/** Connects without a time limit for statements, because a statement can read a whole table. */
function openConnection(location: PostgresLocation): Promise<Connected> {
  return connect(location, { application_name: 'trawl migrate', query_timeout: 0 });
}

/**
 * Becomes the leader of the store in the database. If the previous leader has died, this may take until its leadership
 * expires.
 * @throws {RejectedError} if a coordinator or another `trawl migrate` is the leader
 */
async function leadStore(client: Client, location: string, name: string): Promise<Led> {
  const election = new PostgresElection(location);
  try {
    // This leader has no address, because it answers no calls.
    const address = '';
    const elected = await electedAlone({ election, holder: newHolder(), address }, (leadership) =>
      inUse(leadership, name),
    );
    const leader = new Leader({ election, elected, address, onLost: () => {}, log: pino({ level: 'silent' }) });
    const writer = await becomeWriter(client, elected.term);
    await client.query("select set_config('idle_in_transaction_session_timeout', $1, false)", [`${IDLE_LIMIT_MS}`]);
    return { writer, release: () => leader.release() };
  } catch (error) {
    await election.close();
    throw error;
  }
}

function inUse({ address }: Leadership, name: string): RejectedError {
  const leader = address === '' ? 'another "trawl migrate" uses' : `the coordinator at ${address} uses`;
  return new RejectedError(`${leader} the store in ${name}: stop all coordinators of the store first`);
}

async function metaValue(client: Client, name: string): Promise<string | undefined> {
  return (await client.query('select value from meta where name = $1', [name])).rows[0]?.value;
}

/** Runs `work` in a transaction that fails if the connection may no longer write. */
async function inTransaction<T>(client: Client, { writer }: Led, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    await client.query('select trawl_check_writer($1)', [writer]);
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

/**
 * @throws {BadInputError | UnreachableError} if the URL is invalid, or the server does not answer
 * @throws {RejectedError} if the database has no store or an incomplete one, or if a coordinator uses it
 */
export async function openPostgresOrigin(location: string): Promise<OriginStore> {
  const parsed = parsePostgresLocation(location);
  const { name } = parsed;
  const { client } = await openConnection(parsed);
  let led: Led | undefined;
  try {
    const version = await storedVersion(client);
    if (version === undefined) throw new RejectedError(`the database ${name} has no store of trawl`);
    checkSchemaVersion(name, version);
    const { unfinished, moved } = await migrationMarks(client);
    if (unfinished !== undefined) {
      throw new RejectedError(
        `the database ${name} has an incomplete copy of ${unfinished.from}, which cannot be moved`,
      );
    }
    led = await leadStore(client, location, name);
    const opened = led;
    await client.query('begin isolation level repeatable read, read only');
    const cluster = (await metaValue(client, 'cluster')) ?? '';
    const commits = Number(await metaValue(client, 'commits'));
    const artifacts = await metaValue(client, 'artifacts');
    const keepOpen = setInterval(() => client.query('select 1').catch(() => {}), KEEP_OPEN_INTERVAL_MS);
    return {
      name,
      cluster,
      commits,
      rows: new PostgresRows(client),
      artifacts,
      moved,
      unmove: UNMOVE,
      async markMoved(mark) {
        await client.query('rollback');
        await inTransaction(client, opened, async () => {
          await client.query("delete from meta where name = 'moved'");
          await client.query("insert into meta (name, value) values ('moved', $1)", [JSON.stringify(mark)]);
        });
      },
      async close() {
        clearInterval(keepOpen);
        await client.end().catch(() => {});
        await opened.release();
      },
    };
  } catch (error) {
    await client.end().catch(() => {});
    await led?.release();
    throw error;
  }
}

/**
 * Returns why the store cannot be moved into a database; undefined if the database is empty, or has an incomplete copy
 * of the same store. The tables of an interrupted `trawl doctor` are ignored.
 */
async function newDatabaseProblem(client: Client, name: string, origin: OriginStore): Promise<string | undefined> {
  const { rows } = await client.query(
    `select cast(c.relname as text) as name from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
     where n.nspname = current_schema() and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname <> 'leadership'
       and c.relname not like 'trawl\\_doctor\\_%'
     order by 1`,
  );
  if (rows.length === 0) return origin.moved === undefined ? undefined : `${origin.name} was moved`;
  if ((await storedVersion(client)) === undefined) {
    return `the database ${name} is not empty (it has the table ${rows[0].name}): use a new database`;
  }
  const { unfinished } = await migrationMarks(client);
  if (unfinished === undefined) return `the database ${name} already has a store of trawl: use a new database`;
  if (unfinished.cluster === origin.cluster) return undefined;
  return `the database ${name} has an incomplete copy of ${unfinished.from}, not of ${origin.name}: use a new database`;
}

/**
 * Prepares an empty database, or the database of an interrupted migration of the same store.
 * @param dir the coordinator's folder, in which the mark file of the store is created
 * @throws {RejectedError} if the database is not empty, or if a coordinator uses it
 */
export async function openNewDatabase(location: string, origin: OriginStore, dir: string): Promise<NewStore> {
  const parsed = parsePostgresLocation(location);
  const { name } = parsed;
  const { client, url } = await openConnection(parsed);
  let led: Led | undefined;
  try {
    const problem = await newDatabaseProblem(client, name, origin);
    if (problem !== undefined) throw new RejectedError(problem);
    led = await leadStore(client, location, name);
    const opened = led;
    if ((await storedVersion(client)) === undefined) {
      await ensurePostgresSchema(client, origin.cluster, led.writer, unfinishedOf(origin));
    } else checkSchemaVersion(name, (await storedVersion(client)) ?? 0);
    const { unfinished } = await migrationMarks(client);
    if (unfinished === undefined) throw new RejectedError(`another program has changed the database ${name}`);
    return {
      name,
      isCopied: unfinished.copied,
      readCopy: (read) => inTransaction(client, opened, () => read(new PostgresRows(client))),
      write: (fill, verify) => inTransaction(client, opened, () => writeRows(client, unfinished, fill, verify)),
      async finish() {
        const { cluster, commits } = origin;
        openPostgresMark(dir, { cluster, commits });
        await inTransaction(client, opened, async () => {
          await client.query("delete from meta where name = 'migration'");
        });
      },
      async close() {
        await client.end().catch(() => {});
        await opened.release();
      },
    };
  } catch (error) {
    await client.end().catch(() => {});
    await led?.release();
    throw schemaError(error, url);
  }
}

async function writeRows<T>(
  client: Client,
  unfinished: object,
  fill: (rows: RowTarget) => Promise<void>,
  verify: (rows: RowSource) => Promise<T>,
): Promise<T> {
  const names = storeTables().map(({ name }) => name);
  // Removes the rows that an interrupted migration copied, because these rows no longer equal the original.
  await client.query(`truncate ${names.filter((name) => name !== 'meta').join(', ')}`);
  await client.query(`delete from meta where name not in ${OWN_META}`);
  // The triggers are disabled, because the counts that they maintain are copied too.
  for (const name of names) await client.query(`alter table ${name} disable trigger user`);
  const rows = new PostgresRows(client);
  await fill(rows);
  for (const name of names) await client.query(`alter table ${name} enable trigger user`);
  for (const name of names) await client.query(`analyze ${name}`);
  const verified = await verify(rows);
  await client.query("update meta set value = $1 where name = 'migration'", [
    JSON.stringify({ ...unfinished, copied: true }),
  ]);
  return verified;
}
