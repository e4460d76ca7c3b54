/** Checks the PostgreSQL database in which a coordinator on this machine would keep its store. */
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { connect, schemaError } from '../../coordinator/store/postgres/connection.ts';
import { isLocalServer, parsePostgresLocation, shownUrl } from '../../coordinator/store/postgres/location.ts';
import { migrationMarks, storedVersion } from '../../coordinator/store/postgres/schema.ts';
import { isDisconnect } from '../../coordinator/store/postgres/transactions.ts';
import { SCHEMA_VERSION } from '../../coordinator/store/schema.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { TrawlError } from '../../proto/errors.ts';
import type { Finding } from './finding.ts';

const MAX_CLOCK_DIFFERENCE_MS = 1_000;
/** A commit that takes longer than this causes a warning, because slow commits limit the rate of reports. */
const SLOW_COMMIT_MS = 50;
const COMMITS = 9;
const ANSWER_LIMIT_MS = 15_000;
/** A leader has one connection for writes, four for reads, one for the leadership, and one during a backup. */
const CONNECTIONS_PER_COORDINATOR = 7;

/** Facts about a database to which this machine can connect. */
export interface PostgresFacts {
  /** The URL without its password. */
  readonly name: string;
  readonly version: string;
  /** The version of TLS; undefined for a connection without TLS. */
  readonly tls: string | undefined;
  readonly sslmode: string | undefined;
  readonly isLocal: boolean;
  readonly fsync: boolean;
  readonly fullPageWrites: boolean;
  /** The server's setting for this user and this database. If it is `off` or `local`, a coordinator uses `on` instead. */
  readonly synchronousCommit: string;
  /** The names of the synchronous standby servers; empty if there are none. */
  readonly synchronousStandbys: string;
  /** The server's clock minus the clock of this machine, in milliseconds. */
  readonly clockDifferenceMs: number;
  /** The number of further connections that the user can open. */
  readonly freeConnections: number;
  /** The median duration of a durable commit, in milliseconds. */
  readonly commitMs: number;
  /** Undefined if the database has no store. */
  readonly store:
    | {
        readonly schema: number;
        readonly transactions: number;
        /** Why the store is unusable: it was moved, or it is an incomplete copy. Undefined for a usable store. */
        readonly unusable: string | undefined;
        /** The address of the leader. Empty if the leader has no address, and undefined if no process leads. */
        readonly leader: string | undefined;
      }
    | undefined;
}

/** Returns the findings for a database to which this machine can connect. */
export function postgresFindings(facts: PostgresFacts): readonly Finding[] {
  const { name, version, commitMs } = facts;
  const detail = `${name}: PostgreSQL ${version}; tables can be created; a durable commit takes ${commitMs.toFixed(1)} ms`;
  return [
    { name: 'store', state: 'ok', detail, needed: true },
    storeFinding(facts),
    ...tlsWarnings(facts),
    ...durabilityWarnings(facts),
    ...limitWarnings(facts),
  ];
}

function warning(about: string, detail: string, fix?: string): Finding {
  const finding: Finding = { name: `store, ${about}`, state: 'warning', detail, needed: false };
  return fix === undefined ? finding : { ...finding, fix };
}

function storeFinding({ store }: PostgresFacts): Finding {
  const name = 'store, content';
  if (store === undefined) {
    return { name, state: 'ok', detail: 'the database is empty; the first start creates the tables', needed: true };
  }
  const { schema, transactions, unusable, leader } = store;
  if (unusable !== undefined) return { name, state: 'missing', detail: unusable, needed: true };
  if (schema > SCHEMA_VERSION) {
    return {
      name,
      state: 'missing',
      detail: `schema ${schema} of a newer trawl; this trawl supports up to ${SCHEMA_VERSION}`,
      fix: 'use the version of trawl that wrote the store, or a newer version',
      needed: true,
    };
  }
  const upgrade = schema < SCHEMA_VERSION ? `, which the next start upgrades to ${SCHEMA_VERSION}` : '';
  const led =
    leader === undefined ? 'no coordinator leads' : `led by ${leader || 'a process of trawl without an address'}`;
  return {
    name,
    state: 'ok',
    detail: `schema ${schema}${upgrade}; ${transactions} transactions; ${led}`,
    needed: true,
  };
}

function tlsWarnings({ tls, sslmode, isLocal }: PostgresFacts): Finding[] {
  if (isLocal) return [];
  if (tls === undefined) {
    return [warning('TLS', 'the connection to another machine is not encrypted', 'use sslmode=verify-full in the URL')];
  }
  if (sslmode === 'verify-full') return [];
  return [
    warning('TLS', `${tls} with sslmode=${sslmode}, which does not verify the host name`, 'use sslmode=verify-full'),
  ];
}

function durabilityWarnings({
  fsync,
  fullPageWrites,
  synchronousCommit,
  synchronousStandbys,
}: PostgresFacts): Finding[] {
  const findings: Finding[] = [];
  if (!fsync) {
    findings.push(warning('fsync', 'fsync is off: a power failure can destroy the database', 'set fsync = on'));
  }
  if (!fullPageWrites) {
    const detail = 'full_page_writes is off: a power failure can damage pages, unless the file system prevents it';
    findings.push(warning('full_page_writes', detail, 'set full_page_writes = on'));
  }
  if (synchronousCommit === 'off' || synchronousCommit === 'local') {
    const detail = `synchronous_commit is ${synchronousCommit}; coordinators use "on" for their own connections`;
    findings.push(warning('synchronous_commit', detail));
  }
  if (synchronousStandbys === '') {
    const detail = 'no synchronous standby server: if the primary server is lost, acknowledged changes may be lost too';
    findings.push(warning('standby servers', detail, 'to protect acknowledged changes, set synchronous_standby_names'));
  }
  return findings;
}

function limitWarnings({ clockDifferenceMs, freeConnections, commitMs }: PostgresFacts): Finding[] {
  const findings: Finding[] = [];
  if (Math.abs(clockDifferenceMs) > MAX_CLOCK_DIFFERENCE_MS) {
    const seconds = (Math.abs(clockDifferenceMs) / 1_000).toFixed(1);
    const direction = clockDifferenceMs > 0 ? 'behind' : 'ahead of';
    const detail = `the clock of this machine is ${seconds} s ${direction} the clock of the server`;
    findings.push(warning('clock', detail, 'synchronize both with NTP, so that logs can be compared'));
  }
  if (freeConnections < CONNECTIONS_PER_COORDINATOR) {
    const detail = `${freeConnections} further connections are possible; a coordinator needs ${CONNECTIONS_PER_COORDINATOR}`;
    findings.push(warning('connections', detail, 'raise max_connections, or the limit of the user or the database'));
  }
  if (commitMs > SLOW_COMMIT_MS) {
    const detail = `a durable commit takes ${commitMs.toFixed(0)} ms, which delays each acknowledgement`;
    findings.push(warning('latency', detail, "check the server's disk, its synchronous standby, and the network"));
  }
  return findings;
}

/**
 * Connects with the credentials of this process. Creates a table, commits rows, and drops the table.
 * @returns the findings. The first finding states whether a coordinator can use the database.
 * @throws {BadInputError} if the URL is invalid
 */
export async function checkPostgres(location: string): Promise<readonly Finding[]> {
  const parsed = parsePostgresLocation(location);
  let server: URL | undefined;
  try {
    const { client, url, cut } = await connect(parsed, {
      application_name: 'trawl doctor',
      query_timeout: ANSWER_LIMIT_MS,
    });
    server = url;
    try {
      return postgresFindings(await factsOf(client, url));
    } finally {
      cut();
    }
  } catch (error) {
    if (server !== undefined && isDisconnect(error)) {
      const detail = `${shownUrl(server)} does not answer within ${ANSWER_LIMIT_MS / 1_000} s (${errorMessage(error)})`;
      const fix = 'check its log and its disk, and whether each server in synchronous_standby_names is connected';
      return [{ name: 'store', state: 'missing', detail, fix, needed: true }];
    }
    const explained = server === undefined ? error : schemaError(error, server);
    if (!(explained instanceof TrawlError)) throw error;
    return [{ name: 'store', state: 'missing', detail: explained.message, needed: true }];
  }
}

async function factsOf(client: Client, url: URL): Promise<PostgresFacts> {
  const { rows } = await client.query(
    `select current_setting('server_version') as version,
       (select ssl.version from pg_stat_ssl as ssl where ssl.pid = pg_backend_pid() and ssl.ssl) as tls,
       current_setting('fsync') as fsync, current_setting('full_page_writes') as "fullPageWrites",
       (select reset_val from pg_settings where name = 'synchronous_commit') as "synchronousCommit",
       current_setting('synchronous_standby_names') as "synchronousStandbys",
       cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as now,
       least(
         current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
           - (select count(*) from pg_stat_activity where backend_type = 'client backend'),
         (select case when rolconnlimit < 0 then 1000000 else rolconnlimit - (select count(*) from pg_stat_activity where usename = current_user) end
          from pg_roles where rolname = current_user),
         (select case when datconnlimit < 0 then 1000000 else datconnlimit - (select count(*) from pg_stat_activity as a where a.datname = d.datname) end
          from pg_database as d where datname = current_database())
       ) as free`,
  );
  const clockDifferenceMs = rows[0].now - Date.now();
  const commitMs = await commitDuration(client);
  return {
    ...rows[0],
    name: shownUrl(url),
    tls: rows[0].tls ?? undefined,
    sslmode: url.searchParams.get('sslmode') ?? process.env.PGSSLMODE ?? undefined,
    isLocal: isLocalServer(url),
    fsync: rows[0].fsync === 'on',
    fullPageWrites: rows[0].fullPageWrites === 'on',
    clockDifferenceMs,
    freeConnections: rows[0].free,
    commitMs,
    store: await storeIn(client),
  };
}

/**
 * Returns the median duration of a commit. Fails if the user may not create tables and functions, because a coordinator
 * creates both.
 */
async function commitDuration(client: Client): Promise<number> {
  const table = `trawl_doctor_${randomBytes(8).toString('hex')}`;
  await client.query('begin');
  await client.query(`create function ${table}() returns trigger language plpgsql as 'begin return null; end'`);
  await client.query('rollback');
  await client.query(`create table ${table} (n bigint)`);
  try {
    const durations: number[] = [];
    for (let n = 0; n < COMMITS; n++) {
      const begun = performance.now();
      await client.query(`insert into ${table} values (${n})`);
      durations.push(performance.now() - begun);
    }
    return durations.sort((a, b) => a - b)[(COMMITS - 1) / 2] ?? 0;
  } finally {
    await client.query(`drop table ${table}`);
  }
}

async function storeIn(client: Client): Promise<PostgresFacts['store']> {
  const schema = await storedSchema(client);
  if (schema === undefined) return undefined;
  const { unfinished, moved } = await migrationMarks(client);
  const commits = await client.query("select value from meta where name = 'commits'");
  const hasLeadership = await client.query("select to_regclass('leadership') is not null as found");
  const leader =
    hasLeadership.rows[0].found > 0
      ? await client.query("select address from leadership where holder <> '' and expires_at > clock_timestamp()")
      : undefined;
  return {
    schema,
    transactions: Number(commits.rows[0]?.value ?? 0),
    unusable:
      unfinished === undefined
        ? moved && `the store was moved to ${moved.to} on ${moved.at}`
        : `the copy of ${unfinished.from} is not complete: run the same "trawl migrate" again`,
    leader: leader?.rows[0]?.address,
  };
}

/** Returns the schema version of the store, even if a newer version of trawl wrote the store. */
async function storedSchema(client: Client): Promise<number | undefined> {
  try {
    return await storedVersion(client);
  } catch (error) {
    if (!(error instanceof TrawlError)) throw error;
    const { rows } = await client.query("select value from meta where name = 'schema'").catch(() => ({ rows: [] }));
    const version = Number(rows[0]?.value);
    if (version > SCHEMA_VERSION) return version;
    throw error;
  }
}
