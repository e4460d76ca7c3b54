/**
 * Tries to use everything that trawl opens on this machine, and prints the results as JSON. Uses only Node's own
 * modules, because another user may not be able to read this repository.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';

const ANSWER_MS = 3_000;

/** @type {import('./targets.ts').Targets} */
const targets = JSON.parse(process.env.TARGETS ?? '{}');

/**
 * Calls a method with an empty message. Returns the gRPC status; -1 if the call ends without a status, or has none
 * after ANSWER_MS.
 * @param {import('node:http2').ClientHttp2Session} session
 * @param {string} path
 * @returns {Promise<number>}
 */
function grpcStatus(session, path) {
  const authorization = targets.token === '' ? {} : { authorization: `Bearer ${targets.token}` };
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request({ ...headers, ...authorization });
  let code = -1;
  /** @param {import('node:http2').IncomingHttpHeaders} given */
  const note = (given) => {
    if (given['grpc-status'] !== undefined) code = Number(given['grpc-status']);
  };
  stream
    .on('response', note)
    .on('trailers', note)
    .on('error', () => {});
  stream.resume();
  stream.end(Buffer.alloc(5));
  const timer = setTimeout(() => stream.destroy(), ANSWER_MS);
  return new Promise((resolve) => {
    stream.on('close', () => {
      clearTimeout(timer);
      resolve(code);
    });
  });
}

/**
 * Logs in to NATS with the given options, and subscribes to every subject. Returns the answer of the server.
 * @param {number} port
 * @param {Record<string, string>} options
 * @returns {Promise<string>}
 */
function natsAnswer(port, options) {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    const end = () => {
      socket.destroy();
      resolve(text.replace(/^INFO .*\r\n/, '').trim());
    };
    socket.setEncoding('utf8');
    socket.on('data', (/** @type {string} */ piece) => {
      text += piece;
      if (/-ERR|PONG/.test(text)) end();
    });
    socket.on('error', end).on('close', end);
    socket.write(`CONNECT ${JSON.stringify({ verbose: false, ...options })}\r\nSUB > 1\r\nPING\r\n`);
    setTimeout(end, ANSWER_MS);
  });
}

/**
 * Returns the error code of an action on a file; `done` if the action succeeds.
 * @param {() => void} act
 */
function codeOf(act) {
  try {
    act();
    return 'done';
  } catch (error) {
    return error instanceof Error && 'code' in error ? `${error.code}` : `${error}`;
  }
}

/**
 * Writes to a file, or creates a file in a folder.
 * @param {string} path
 */
function writeCode(path) {
  const code = codeOf(() => writeFileSync(path, 'x', { flag: 'r+' }));
  return code === 'EISDIR' ? codeOf(() => writeFileSync(`${path}/intruder`, 'x')) : code;
}

const session = connectHttp2(`http://${targets.grpc}`);
session.on('error', () => {});
/** @type {Record<string, number>} */
const grpc = {};
for (const path of targets.methods) grpc[path] = await grpcStatus(session, path);
session.destroy();

/** @type {Record<string, number>} */
const http = {};
for (const url of targets.pages) {
  /** @type {Record<string, string>} */
  const headers = targets.token === '' ? {} : { authorization: `Bearer ${targets.token}` };
  http[url] = (await fetch(url, { headers })).status;
}

/** @type {Record<string, string>} */
const nats = {};
for (const [name, options] of Object.entries(targets.logins)) nats[name] = await natsAnswer(targets.natsPort, options);

const files = targets.files.map((path) => [
  path,
  codeOf(() => readFileSync(path)),
  codeOf(() => readdirSync(path)),
  writeCode(path),
]);
const environments = targets.pids.map((pid) => codeOf(() => readFileSync(`/proc/${pid}/environ`)));
const commands = targets.pids.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).join('\n');
console.log(JSON.stringify({ grpc, http, nats, files, environments, commands }));
