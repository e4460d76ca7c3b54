import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runQuietly } from '../run-quietly.mjs';
import { intoCache } from './cache.mjs';

const PACKAGE = 'nats-server';
const INSTALL_LIMIT_MS = 120_000;
const UPDATE_LIMIT_MS = 90_000;
/** Without these apt waits minutes on a mirror that is out of reach. */
const IMPATIENT = ['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=10', '-o', 'Acquire::https::Timeout=10'];

/**
 * Installs Debian's package; root only.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} name of the package
 */
export async function aptInstall(env, name = PACKAGE) {
  const install = ['install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=60', ...IMPATIENT, name];
  await withUpdate(env, install, []);
}

/**
 * Fetches Debian's package without root and unpacks the program into trawl's cache. Package lists that are missing or
 * old are fetched into the cache as well, since the system's are not ours to write.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} bin of cacheBin
 * @returns {Promise<string>} the program's path
 */
export function aptUnpack(env, bin) {
  return intoCache(bin, async (folder) => {
    const lists = join(folder, 'lists');
    const cache = join(folder, 'cache');
    for (const path of [lists, cache]) mkdirSync(join(path, 'partial'), { recursive: true });
    const ownLists = ['-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${cache}`];
    await withUpdate(env, ['download', ...IMPATIENT, PACKAGE], ownLists, folder);
    const archive = readdirSync(folder).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get download fetched nothing');
    await runQuietly('dpkg-deb', ['-x', join(folder, archive), join(folder, 'unpacked')], { env });
    return join(folder, 'unpacked', 'usr', 'sbin', PACKAGE);
  });
}

/**
 * Runs an apt-get command; if it fails, once more after an update (package not known, or lists too old). An update
 * that fails may yet have fetched what matters: one of several sources was out of reach.
 */
async function withUpdate(env, command, listOptions, cwd) {
  const quiet = { ...env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const attempt = async (args, limitMs) => {
    try {
      await runQuietly('apt-get', args, { cwd, env: quiet, limitMs });
      return null;
    } catch (error) {
      return `apt-get ${args[0]}: ${reasonOf(error)}`;
    }
  };
  if ((await attempt(command, INSTALL_LIMIT_MS)) === null) return;
  const updating = await attempt(['update', ...IMPATIENT, ...listOptions], UPDATE_LIMIT_MS);
  const failure = await attempt([...command, ...listOptions], INSTALL_LIMIT_MS);
  if (failure !== null) throw new Error([failure, updating].filter(Boolean).join('; '));
}

/** apt's own first complaint, or else how it ended. */
function reasonOf(error) {
  const [how, ...output] = error.message.split('\n');
  return output.find((line) => line.startsWith('E: ')) ?? how.replace(/^`.*` /, '');
}
