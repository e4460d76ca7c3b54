import { connect } from 'node:net';
import { isNewEnough, MINIMUM_NATS } from './version.mjs';

/** How long a server may take to say INFO, which it does on connecting. */
const ANSWER_LIMIT_MS = 3_000;
const DEFAULT_PORT = 4222;
/** INFO is about 400 bytes; a cluster's is longer by its members' addresses. */
const INFO_LIMIT_BYTES = 1 << 20;

/**
 * Asks a NATS server who it is. It says so by itself, before any authentication and before TLS.
 * @param {string} url `nats://host:port`, `tls://host:port` or `host:port`
 * @param {number} [limitMs]
 * @returns {Promise<{version: string, jetstream: boolean, serverName: string}>}
 * @throws {Error} that says what was wrong with the URL, the connection or the answer
 */
export async function askServer(url, limitMs = ANSWER_LIMIT_MS) {
  const { host, port } = address(url);
  const line = await firstLine(host, port, limitMs);
  if (!line.startsWith('INFO ')) throw new Error(`${host}:${port} answers, but not as a NATS server`);
  const info = JSON.parse(line.slice('INFO '.length));
  return { version: info.version, jetstream: info.jetstream === true, serverName: info.server_name };
}

/**
 * Why a running server cannot be used, or its version.
 * @param {string} urls one, or those of a cluster with commas between: any that can be used will do
 * @returns {Promise<{version: string} | {problem: string}>}
 */
export async function checkRunning(urls) {
  const answers = await Promise.all(urls.split(',').map(checkOne));
  return answers.find((answer) => 'version' in answer) ?? answers[0];
}

async function checkOne(url) {
  try {
    const { version, jetstream } = await askServer(url);
    if (!jetstream) return { problem: `nats-server ${version} runs without JetStream (start it with -js)` };
    if (!isNewEnough(version.replace(/[-+].*$/, ''))) {
      return { problem: `is nats-server ${version}, and trawl needs ${MINIMUM_NATS} or later` };
    }
    return { version };
  } catch (error) {
    return { problem: error.message };
  }
}

/**
 * A URL without its user, password and token, for messages.
 * @param {string} url
 */
export function withoutSecrets(url) {
  return url.replace(/\/\/[^@/]*@/g, '//');
}

function address(url) {
  let parsed;
  try {
    parsed = new URL(url.includes('://') ? url : `nats://${url}`);
  } catch {
    throw new Error('is not a URL; expected nats://HOST:PORT');
  }
  if (parsed.protocol !== 'nats:' && parsed.protocol !== 'tls:') {
    throw new Error(`starts with ${parsed.protocol}//; expected nats:// or tls://`);
  }
  if (parsed.hostname === '') throw new Error('has no host; expected nats://HOST:PORT');
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? DEFAULT_PORT : Number(parsed.port),
  };
}

function firstLine(host, port, limitMs) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const limit = setTimeout(
      () => end(new Error(`${host}:${port} did not answer within ${limitMs / 1000} s`)),
      limitMs,
    );
    let text = '';
    const end = (error) => {
      clearTimeout(limit);
      socket.destroy();
      if (error === undefined) resolve(text.slice(0, text.indexOf('\r\n')));
      else reject(error);
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\r\n')) end();
      else if (text.length > INFO_LIMIT_BYTES) end(new Error(`${host}:${port} answers, but not as a NATS server`));
    });
    socket.once('error', (error) =>
      end(new Error(`${host}:${port} cannot be reached (${error.code ?? error.message})`)),
    );
    socket.once('close', () => end(new Error(`${host}:${port} closed the connection at once`)));
  });
}
