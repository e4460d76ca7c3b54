import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { runQuietly } from './run.mjs';

/** The time limit of `npm ci`: long enough for a slow registry mirror. */
const NPM_CI_LIMIT_MS = 10 * 60_000;

/**
 * A package of a lock file.
 * @typedef {object} LockedPackage
 * @property {string} version
 * @property {string} [integrity]
 * @property {boolean} [dev]
 * @property {boolean} [optional]
 * @property {boolean} [devOptional]
 * @property {Record<string, string>} [optionalDependencies]
 */

/**
 * Returns the reason why `npm ci` has to run, or null. npm writes node_modules/.package-lock.json at the end of an
 * install. The content of this file is compared with package-lock.json. Modification times are not compared,
 * because a checkout or a copy changes them.
 * @param {string} root of the checkout
 * @returns {string | null}
 */
export function dependenciesProblem(root) {
  const installedFile = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return 'node_modules is missing or incomplete';
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const installed = packagesOf(installedFile);
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = installed[path];
    const name = path.slice('node_modules/'.length);
    if (found === undefined) {
      // The lock file lists the binaries of other platforms, which are not installed here. Optional dependencies of trawl
      // itself are for all platforms.
      const isOwn = wanted['']?.optionalDependencies?.[name] !== undefined;
      if ((entry.optional || entry.devOptional) && !isOwn) continue;
      return `${name} is not installed`;
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity) {
      return `${name} ${found.version} is installed, but the lock file has ${entry.version}`;
    }
  }
  return null;
}

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage>}
 */
function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

/**
 * Runs `npm ci`. Install scripts are disabled in .npmrc. Development tools are installed even if NODE_ENV is
 * `production`, because the build needs them. Optional packages are installed even if npm's configuration omits them.
 * @param {string} root
 */
export async function installDependencies(root) {
  const path = [dirname(process.execPath), process.env.PATH].filter(Boolean).join(delimiter);
  await runQuietly('npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], {
    cwd: root,
    env: { ...process.env, PATH: path },
    limitMs: NPM_CI_LIMIT_MS,
  });
}
