/** Connects to the primary server of PostgreSQL, and reports problems with the servers and the database. */
import { Socket } from 'node:net';
import { Client, type ClientConfig } from 'pg';
import { settlesWithin, withResolvers } from '../../../lib/net/within.ts';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { RejectedError, UnreachableError } from '../../../proto/errors.ts';
import { type PostgresLocation, shownUrl } from './location.ts';
import { isDisconnect } from './transactions.ts';
import { STORE_TYPES } from './values.ts';

const CONNECT_LIMIT_MS = 10_000;
/**
 * The maximum time for the answer to a statement. After this time, the connection counts as lost. Without this limit,
 * the loss of a connection without an error would be detected only after the operating system's limit of about 15
 * minutes. Even the slowest statements, such as the removal of the rows of a large sweep, take only seconds.
 */
const ANSWER_LIMIT_MS = 120_000;
/** The oldest supported version, as PostgreSQL numbers it. */
const MIN_VERSION = 140_000;
/** The name of a file of the write-ahead log begins with the timeline, which has this many digits. */
const TIMELINE_DIGITS = 8;

/**
 * The time in milliseconds to wait for the other servers after the first primary server has answered. Another server
 * may be a newer primary.
 */
const OTHERS_LIMIT_MS = 300;

/**
 * Returns the settings of a connection. `sslmode` means the same as in other clients of PostgreSQL.
 * @param settings take precedence over the usual settings and over the parameters of the URL, but not over the URL's
 * `application_name`. The `options` of `settings` are added after the user's options, so they take precedence too
 */
export function clientConfig(url: URL, settings: ClientConfig = {}): ClientConfig {
  const compatible = new URL(url);
  if (compatible.searchParams.has('sslmode')) compatible.searchParams.set('uselibpqcompat', 'true');
  // The library would prefer the parameters of the URL to the settings, and the settings to PGOPTIONS.
  const isOverridden = (name: string) => name in settings && name !== 'application_name';
  for (const name of [...compatible.searchParams.keys()].filter(isOverridden)) compatible.searchParams.delete(name);
  const config: ClientConfig = {
    connectionString: compatible.href,
    application_name: 'trawl coordinator',
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    query_timeout: Number(url.searchParams.get('query_timeout') ?? ANSWER_LIMIT_MS),
    keepAlive: true,
    types: STORE_TYPES,
    ...settings,
  };
  if (settings.options === undefined) return config;
  const own = url.searchParams.get('options') ?? process.env.PGOPTIONS ?? '';
  return { ...config, options: `${own} ${settings.options}`.trim() };
}

/** A connection to the primary server. */
export interface Connected {
  readonly client: Client;
  /** The URL of the server. */
  readonly url: URL;
  /** Closes the connection without waiting for the answers to statements. */
  cut(): void;
}

/**
 * Opens a connection to the primary server. Statements are sent without waiting for the results of earlier statements.
 * @param settings the settings that override the usual settings of a connection (see clientConfig)
 * @throws {RejectedError} if every server rejects the user, the database or the encryption, or is too old
 * @throws {UnreachableError} if no server answers, or if none accepts a connection at the moment
 */
export async function connect({ urls, name }: PostgresLocation, settings: ClientConfig = {}): Promise<Connected> {
  const [only] = urls;
  if (urls.length === 1 && only !== undefined) return connectTo(only, settings);
  const found: (Connected & { readonly timeline: string })[] = [];
  const problems: Error[] = [];
  let isChosen = false;
  const { promise: first, resolve: onFirst } = withResolvers<void>();
  const attempts = urls.map(async (url) => {
    try {
      const connected = await connectTo(url, settings);
      const timeline = await timelineOf(connected);
      if (isChosen) return connected.cut();
      found.push({ ...connected, timeline });
      onFirst();
    } catch (error) {
      problems.push(error instanceof Error ? error : new Error(`${error}`));
    }
  });
  const all = Promise.all(attempts);
  await Promise.race([all, first]);
  await settlesWithin(OTHERS_LIMIT_MS, all);
  isChosen = true;
  // A promotion begins a new timeline. A primary that was cut off during the promotion keeps the old timeline.
  const [best, ...others] = found.sort((a, b) => (a.timeline < b.timeline ? 1 : -1));
  for (const { cut } of others) cut();
  if (best !== undefined) return best;
  const rejected = problems.every((problem) => problem instanceof RejectedError) ? problems[0] : undefined;
  const reasons = problems.map(({ message }) => message).join('; ');
  throw rejected ?? new UnreachableError(`no server of ${name} is a primary that can be reached: ${reasons}`);
}

async function timelineOf({ client, cut }: Connected): Promise<string> {
  try {
    const { rows } = await client.query('select pg_walfile_name(pg_current_wal_lsn()) as file');
    return `${rows[0]?.file}`.slice(0, TIMELINE_DIGITS);
  } catch (error) {
    cut();
    throw error;
  }
}

async function connectTo(url: URL, settings: ClientConfig): Promise<Connected> {
  const socket = new Socket();
  const client = new Client({ ...clientConfig(url, { pipeline: true, ...settings }), stream: () => socket });
  // The error of a lost connection is ignored here, because the next statement fails with the same error.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => {});
    throw connectError(error, url);
  }
  const cut = () => {
    socket.destroy();
  };
  try {
    await checkServer(client, url);
  } catch (error) {
    cut();
    throw error;
  }
  return { client, url, cut };
}

async function checkServer(client: Client, url: URL): Promise<void> {
  const { rows } = await client.query(
    `select cast(current_setting('server_version_num') as bigint) as number, current_setting('server_version') as version,
       current_setting('server_encoding') as encoding, pg_is_in_recovery() as standby, current_schema() as schema`,
  );
  const problem = serverProblem(rows[0], shownUrl(url));
  if (problem !== undefined) throw problem;
  // An acknowledged change must survive a crash of the server. At a level of isolation above `read committed`, a
  // statement that waits for another coordinator would fail instead of reading the new leadership.
  await client.query(
    `select set_config('default_transaction_isolation', 'read committed', false),
       case when current_setting('synchronous_commit') in ('off', 'local')
         then set_config('synchronous_commit', 'on', false) end`,
  );
}

interface ServerFacts {
  /** The version as PostgreSQL numbers it, such as 150018. */
  readonly number: number;
  readonly version: string;
  readonly encoding: string;
  /** The value is 1 for a standby server. */
  readonly standby: number;
  /** Null if no schema of the search path exists. */
  readonly schema: string | null;
}

/** Returns an error if the server cannot hold the store; otherwise undefined. The error names the URL `at`. */
export function serverProblem(
  { number, version, encoding, standby, schema }: ServerFacts,
  at: string,
): Error | undefined {
  if (number < MIN_VERSION)
    return new RejectedError(`${at} is PostgreSQL ${version}; trawl needs PostgreSQL 14 or later`);
  if (encoding !== 'UTF8') {
    return new RejectedError(`the database of ${at} has the encoding ${encoding}; create it with UTF8`);
  }
  if (standby > 0) return new UnreachableError(`${at} is a standby of PostgreSQL; add the primary server to the URL`);
  if (schema === null) return new RejectedError(`the database of ${at} has no schema in its search path`);
  return undefined;
}

/**
 * If the user has no permission to create tables, returns an error that states the remedy. Returns other errors
 * unchanged.
 */
export function schemaError(error: unknown, url: URL): unknown {
  const isForbidden = error instanceof Error && 'code' in error && error.code === '42501';
  if (!isForbidden) return error;
  return new RejectedError(
    `the user of ${shownUrl(url)} has no permission to create or change the tables of the store (${error.message}): ` +
      'make the user the owner of the database',
  );
}

const CERTIFICATE_ERRORS = /CERT|SELF_SIGNED|VERIFY|ISSUER|ALTNAME/;

function connectError(error: unknown, url: URL): Error {
  const code = error instanceof Error && 'code' in error ? `${error.code}` : '';
  const message = errorMessage(error);
  const at = shownUrl(url);
  if (code === '28P01' || code === '28000' || message.includes('password must be a string')) {
    return new RejectedError(
      `PostgreSQL rejected the user or the password of ${at} (${message}): check the URL, PGPASSWORD and pg_hba.conf`,
    );
  }
  if (code === '3D000') {
    return new RejectedError(`the database of ${at} does not exist (${message}): create it, for example with createdb`);
  }
  if (message.includes('does not support SSL')) {
    return new RejectedError(`PostgreSQL at ${at} does not use TLS: configure its certificate, or use sslmode=disable`);
  }
  if (CERTIFICATE_ERRORS.test(code)) {
    return new RejectedError(
      `the certificate of PostgreSQL at ${at} is not trusted (${message}): name its authority with sslrootcert=FILE`,
    );
  }
  if (code === '53300' || isDisconnect(error)) {
    return new UnreachableError(`could not reach PostgreSQL at ${at}: ${message}`);
  }
  return new RejectedError(`PostgreSQL at ${at} rejected the connection: ${message}`);
}
