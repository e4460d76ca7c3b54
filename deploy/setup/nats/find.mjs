import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheBin } from './cache.mjs';
import { aptInstall, aptUnpack } from './debian.mjs';
import { downloadRelease, RELEASE } from './release.mjs';
import { checkRunning, withoutSecrets } from './running.mjs';
import { MINIMUM_NATS, natsVersionOf } from './version.mjs';

/** No nats-server could be had; the message lists what was tried and says what to do. */
export class NatsServerNotFoundError extends Error {
  name = 'NatsServerNotFoundError';
}

/** TRAWL_NATS names a server that cannot be used. */
export class NatsServerUnusableError extends Error {
  name = 'NatsServerUnusableError';
}

/** Where packages put servers; often not on the PATH of people who are not root. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/opt/homebrew/bin'];

/**
 * A nats-server to use: the running one that TRAWL_NATS names, or a program (see findNatsBinary).
 * @param {import('./find.mjs').FindOptions} options
 * @returns {Promise<import('./find.mjs').NatsServer>}
 * @throws {NatsServerUnusableError} TRAWL_NATS is set and its server does not answer or will not do
 * @throws {NatsServerNotFoundError}
 */
export async function findNatsServer(options) {
  const url = (options.env ?? process.env).TRAWL_NATS;
  if (!url) return await findNatsBinary(options);
  const answer = await checkRunning(url);
  if ('version' in answer) return { kind: 'running', url, version: answer.version };
  throw new NatsServerUnusableError(
    `TRAWL_NATS=${withoutSecrets(url)} cannot be used: ${answer.problem}.\n` +
      'Start that server, correct the address, or unset TRAWL_NATS and trawl starts a nats-server of its own.',
  );
}

/**
 * A nats-server program, in this order: PATH and the system's folders, trawl's cache, and if `install` is set Debian's
 * package and the pinned release. Every place that is passed over gets one line.
 * @param {import('./find.mjs').FindOptions} options
 * @returns {Promise<import('./find.mjs').NatsBinary>}
 * @throws {NatsServerNotFoundError}
 */
export async function findNatsBinary({ install, env = process.env, say = () => {}, systemFolders, release }) {
  const passed = [];
  for (const { place, look } of places(install, env, systemFolders ?? SYSTEM_FOLDERS, release ?? RELEASE)) {
    let problem;
    try {
      const path = await look(say);
      const found = path === null ? null : await natsVersionOf(path);
      if (found !== null && 'version' in found) return { kind: 'binary', path, version: found.version };
      problem = found === null ? 'not there' : `${path} ${found.problem}`;
    } catch (error) {
      problem = error.message.split('\n')[0];
    }
    const line = `${place}: ${problem}`;
    say(line);
    passed.push(line);
  }
  throw new NatsServerNotFoundError(notFoundMessage(passed, install, cacheBin(env)));
}

function places(install, env, systemFolders, release) {
  const bin = cacheBin(env);
  const onPath = [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...systemFolders];
  const local = [
    { place: 'PATH', look: async () => firstExecutable(onPath) },
    { place: bin, look: async () => firstExecutable([bin]) },
  ];
  if (!install) return local;
  return [
    ...local,
    { place: "Debian's package", look: (say) => fromDebian(env, onPath, bin, say) },
    {
      place: 'release download',
      look: (say) => {
        say(`fetching nats-server ${release.version}`);
        return downloadRelease(bin, release);
      },
    },
  ];
}

async function fromDebian(env, onPath, bin, say) {
  if (firstExecutable(onPath, 'apt-get') === null) throw new Error('this system has no apt-get');
  // Where systemd runs, Debian's package starts a server at once, on every address and without a password; unpacked it
  // starts nothing.
  if (process.getuid?.() === 0 && !existsSync('/run/systemd/system')) {
    say('apt-get install nats-server');
    try {
      await aptInstall(env);
      const installed = firstExecutable(onPath);
      if (installed !== null) return installed;
    } catch (error) {
      say(error.message);
    }
  }
  say(`apt-get download nats-server, into ${bin}`);
  return await aptUnpack(env, bin);
}

function firstExecutable(folders, name = 'nats-server') {
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function notFoundMessage(passed, install, bin) {
  return [
    'No nats-server was found. Tried:',
    ...passed.map((line) => `  - ${line}`),
    'Do one of these:',
    ...(install ? [] : ['  - run `npm run setup` in the checkout, which fetches one']),
    '  - install it: `apt install nats-server`, `brew install nats-server`, or https://nats.io/download',
    `  - put the program (${MINIMUM_NATS} or later) into ${bin}`,
    '  - set TRAWL_NATS=nats://HOST:PORT to the address of a running server with JetStream (`nats-server -js`)',
  ].join('\n');
}
