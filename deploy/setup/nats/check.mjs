import { connect } from 'node:net';
import { codeOf, messageOf } from '../common.mjs';
import { runQuietly } from '../run.mjs';

/** The oldest nats-server with all JetStream features that trawl uses (Debian 12 ships 2.9.10). */
export const MINIMUM_NATS = '2.9.0';
const VERSION_LIMIT_MS = 5_000;
/** The time limit for the INFO message. It is short, because a server sends INFO as soon as a client connects. */
const ANSWER_LIMIT_MS = 3_000;
const DEFAULT_PORT = 4222;
/** The maximum size of an INFO message. A message has about 400 bytes, plus the addresses of the cluster. */
const INFO_LIMIT_BYTES = 1 << 20;

/**
 * Fields of the INFO message that a NATS server sends when a client connects.
 * @typedef {{version: string, jetstream: boolean, serverName: string}} ServerInfo
 */

/** @typedef {{version: string} | {problem: string}} CheckResult */

/**
 * Extracts the version from the output of `nats-server --version` (`nats-server: v2.9.10`). Returns null if the output
 * has no version.
 * @param {string} text
 * @returns {string | null}
 */
function parseNatsVersion(text) {
  return /\bv?(\d+\.\d+\.\d+)(?:[-+.\w]*)?/.exec(text)?.[1] ?? null;
}

/** @param {string} version such as `2.9.10` */
function isNewEnough(version) {
  const installed = version.split('.').map(Number);
  for (const [i, part] of MINIMUM_NATS.split('.').map(Number).entries()) {
    const own = installed[i] ?? 0;
    if (own !== part) return own > part;
  }
  return true;
}

/**
 * Returns the version of a nats-server binary, or the reason why trawl cannot use it.
 * @param {string} path
 * @returns {Promise<CheckResult>}
 */
export async function checkBinary(path) {
  let printed;
  try {
    printed = await runQuietly(path, ['--version'], { limitMs: VERSION_LIMIT_MS });
  } catch (error) {
    return { problem: `does not run: ${messageOf(error).split('\n')[0]}` };
  }
  const version = parseNatsVersion(printed);
  if (version === null) return { problem: `printed no version: ${printed.trim().slice(0, 80)}` };
  if (!isNewEnough(version)) return { problem: `is version ${version}; trawl needs ${MINIMUM_NATS} or later` };
  return { version };
}

/**
 * Reads the INFO message of a NATS server. Authentication and TLS are not needed.
 * @public bin/local/find-nats-server.ts loads it by path
 * @param {string} url `nats://host:port`, `tls://host:port` or `host:port`
 * @param {number} [limitMs] timeout; default: 3 s
 * @returns {Promise<ServerInfo>}
 * @throws {Error} if the URL is invalid, the server cannot be reached, or it is not a NATS server
 */
export async function readServerInfo(url, limitMs = ANSWER_LIMIT_MS) {
  const { host, port } = parseAddress(url);
  const line = await firstLine(host, port, limitMs);
  if (!line.startsWith('INFO ')) throw new Error(`${host}:${port} is not a NATS server`);
  const info = JSON.parse(line.slice('INFO '.length));
  return { version: info.version, jetstream: info.jetstream === true, serverName: info.server_name };
}

/**
 * Returns the version of a running server, or the reason why trawl cannot use it.
 * @param {string} urls one URL, or the URLs of a cluster separated by commas; one usable server is enough
 * @returns {Promise<CheckResult>}
 */
export async function checkServer(urls) {
  const results = await Promise.all(urls.split(',').map(checkOne));
  return results.find((result) => 'version' in result) ?? results[0] ?? { problem: 'no address' };
}

/**
 * @param {string} url
 * @returns {Promise<CheckResult>}
 */
async function checkOne(url) {
  try {
    const { version, jetstream } = await readServerInfo(url);
    if (!jetstream) return { problem: `nats-server ${version} runs without JetStream (start it with -js)` };
    if (!isNewEnough(version.replace(/[-+].*$/, ''))) {
      return { problem: `the server is nats-server ${version}; trawl needs ${MINIMUM_NATS} or later` };
    }
    return { version };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/**
 * Removes user, password and token from a URL, for messages.
 * @param {string} url
 */
export function withoutCredentials(url) {
  return url.replace(/\/\/[^@/]*@/g, '//');
}

/** @param {string} url */
function parseAddress(url) {
  let parsed;
  try {
    parsed = new URL(url.includes('://') ? url : `nats://${url}`);
  } catch {
    throw new Error('not a URL; expected nats://HOST:PORT');
  }
  if (parsed.protocol !== 'nats:' && parsed.protocol !== 'tls:') {
    throw new Error(`unsupported scheme ${parsed.protocol}//; expected nats:// or tls://`);
  }
  if (parsed.hostname === '') throw new Error('missing host; expected nats://HOST:PORT');
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? DEFAULT_PORT : Number(parsed.port),
  };
}

/**
 * @param {string} host
 * @param {number} port
 * @param {number} limitMs
 * @returns {Promise<string>}
 */
function firstLine(host, port, limitMs) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const timer = setTimeout(
      () => end(new Error(`${host}:${port} did not answer within ${limitMs / 1000} s`)),
      limitMs,
    );
    let text = '';
    /** @param {Error} [error] */
    const end = (error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve(text.slice(0, text.indexOf('\r\n')));
      else reject(error);
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\r\n')) end();
      else if (text.length > INFO_LIMIT_BYTES) end(new Error(`${host}:${port} is not a NATS server`));
    });
    socket.once('error', (error) =>
      end(new Error(`could not connect to ${host}:${port} (${codeOf(error) ?? error.message})`)),
    );
    socket.once('close', () => end(new Error(`${host}:${port} closed the connection immediately`)));
  });
}
