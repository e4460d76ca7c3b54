import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { runQuietly } from './run-quietly.mjs';

/** A slow mirror may take minutes; longer than this and something is wrong. */
const NPM_CI_LIMIT_MS = 10 * 60_000;

/**
 * Why `npm ci` has to run, or null. npm writes node_modules/.package-lock.json as the last thing of an install, with
 * what it installed: it is compared by content, because a checkout or a copy changes times and not packages.
 * @param {string} root the checkout
 * @returns {string | null}
 */
export function dependenciesProblem(root) {
  const installedFile = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return 'node_modules is missing or incomplete';
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = installed[path];
    const name = path.slice('node_modules/'.length);
    if (found === undefined) {
      // Binaries for other platforms are in the lock file and rightly not here.
      if (entry.optional || entry.devOptional) continue;
      return `${name} is not installed`;
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity) {
      return `${name} ${found.version} is installed and the lock file has ${entry.version}`;
    }
  }
  return null;
}

/**
 * Runs `npm ci`. Install scripts stay off by the project's .npmrc; development tools come along whatever NODE_ENV says,
 * since the build needs them.
 * @param {string} root
 */
export async function installDependencies(root) {
  const path = [dirname(process.execPath), process.env.PATH].filter(Boolean).join(delimiter);
  await runQuietly('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], {
    cwd: root,
    env: { ...process.env, PATH: path },
    limitMs: NPM_CI_LIMIT_MS,
  });
}
