/** Parses the URL of a store in PostgreSQL. The URL can name several servers; one of them is the primary. */
import { BadInputError } from '../../../proto/errors.ts';

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'];
/** The values of `target_session_attrs` that name the primary. trawl uses the primary in any case. */
const SESSION_ATTRIBUTES = ['read-write', 'primary'];
const EXAMPLE = 'postgres://USER@HOST/DATABASE?sslmode=verify-full';
const FORM = /^(?<scheme>postgres(?:ql)?:\/\/)(?<login>[^/?#]*@)?(?<hosts>[^/?#@]*)(?<rest>.*)$/s;

export interface PostgresLocation {
  /** The URL of each server; at least one. */
  readonly urls: readonly URL[];
  /** The URL without its password. Messages use it as the name of the store. */
  readonly name: string;
}

/**
 * Parses the URL of a store. With several servers, as in `postgres://user@a:5432,b/database`, one is the primary.
 * @param option the option or the variable that contains the URL; messages name it
 * @throws {BadInputError} if the URL is invalid, or if it names another machine without `sslmode`
 */
export function parsePostgresLocation(text: string, option = '--store'): PostgresLocation {
  const { scheme, login = '', hosts = '', rest } = FORM.exec(text)?.groups ?? {};
  if (scheme === undefined) throw new BadInputError(`${option}: ${schemeProblem(text)}; expected ${EXAMPLE}`);
  const names = hosts.split(',');
  if (names.length > 1 && names.includes('')) {
    throw new BadInputError(
      `${option}: a name is missing in the list of servers; expected postgres://USER@HOST,HOST/DATABASE`,
    );
  }
  const urls = names.map((host) => parseServer(`${scheme}${login}${host}${rest}`, option));
  const [first = ''] = urls.map(shownUrl);
  return { urls, name: first.replace(/^([a-z]+:\/\/(?:[^/?#]*@)?)[^/?#]*/, (_, start) => `${start}${hosts}`) };
}

function schemeProblem(text: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(text)?.[0];
  return scheme === undefined || /^postgres(ql)?:$/.test(scheme) ? 'invalid URL' : `unknown scheme ${scheme}`;
}

function parseServer(text: string, option: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new BadInputError(`${option}: invalid URL; expected ${EXAMPLE}`);
  }
  const mode = url.searchParams.get('sslmode');
  if (mode !== null && !SSL_MODES.includes(mode)) {
    throw new BadInputError(`${option}: unknown sslmode ${JSON.stringify(mode)}; expected ${SSL_MODES.join(', ')}`);
  }
  const attributes = url.searchParams.get('target_session_attrs');
  if (attributes !== null && !SESSION_ATTRIBUTES.includes(attributes)) {
    throw new BadInputError(
      `${option}: target_session_attrs=${attributes} does not name the primary; expected ${SESSION_ATTRIBUTES.join(' or ')}`,
    );
  }
  const host = url.searchParams.get('host') ?? url.hostname;
  if (host.includes(',') || url.searchParams.get('port')?.includes(',')) {
    throw new BadInputError(
      `${option}: name several servers before the database: postgres://USER@HOST:PORT,HOST:PORT/DATABASE`,
    );
  }
  if (mode === null && !isLocalServer(url) && process.env.PGSSLMODE === undefined) {
    throw new BadInputError(
      `${option}: the URL names another machine (${host}) without sslmode; append ?sslmode=verify-full, or ` +
        '?sslmode=disable on a trusted network',
    );
  }
  return url;
}

/** Returns whether a URL names a server on this machine. */
export function isLocalServer(url: URL): boolean {
  const host = url.searchParams.get('host') ?? url.hostname;
  return host === '' || host.startsWith('/') || /^(localhost|127\..*|\[?::1\]?)$/.test(host);
}

/** Returns a URL of PostgreSQL without its password. */
export function shownUrl(url: URL): string {
  const shown = new URL(url);
  shown.password = '';
  shown.searchParams.delete('password');
  return shown.href;
}
