import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bundleCommands, bundleFile, isBundleCurrent } from './bundle.mjs';
import { sha256 } from './download.mjs';
import { runQuietly } from './run.mjs';

/**
 * Returns the sorted paths, relative to the root, of the sources that tsconfig.json includes.
 * @param {string} root
 */
function sources(root) {
  /** @type {string[]} */
  const folders = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')).include;
  return folders
    .flatMap((folder) => listFiles(root, folder))
    .filter((path) => /\.(tsx?|mjs|cjs)$/.test(path) && !path.endsWith('.d.ts'))
    .sort();
}

/**
 * @param {string} root
 * @param {string} folder
 */
function listFiles(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** @param {string} source */
const outputOf = (source) => join('dist', source.replace(/\.tsx?$/, '.js'));

/**
 * Returns a hash of everything that determines the compiler's output. The hash covers file contents but not file times,
 * because a copy or a checkout changes the times.
 * @param {string} root
 * @param {readonly string[]} paths
 */
function fingerprint(root, paths) {
  const files = ['tsconfig.json', 'package-lock.json', ...paths];
  return sha256(...files.flatMap((path) => [`${path}\0`, readFileSync(join(root, path)), '\0']));
}

/** @param {string} root */
const stampFile = (root) => join(root, 'dist', '.built');

/**
 * Returns the reason why the build has to run, or null.
 * @param {string} root of the checkout
 * @returns {string | null}
 */
export function buildProblem(root) {
  const paths = sources(root);
  if (!existsSync(stampFile(root))) return 'dist is missing or incomplete';
  const outputs = [...paths.map((path) => join(root, outputOf(path))), bundleFile(root)];
  if (outputs.some((path) => !existsSync(path))) return 'part of dist is missing';
  if (readFileSync(stampFile(root), 'utf8') !== fingerprint(root, paths)) return 'sources have changed';
  return isBundleCurrent(root) ? null : 'the bundle is older than the compiled files';
}

/**
 * Compiles all sources into dist/, removes the output of deleted sources, and bundles the commands.
 * @param {string} root
 * @throws {import('./run.mjs').CommandError} with the messages of the compiler
 */
export async function build(root) {
  const paths = sources(root);
  const before = fingerprint(root, paths);
  rmSync(stampFile(root), { force: true });
  // The incremental compiler does not detect deleted output, so its state is removed and everything is compiled again.
  if (paths.some((path) => !existsSync(join(root, outputOf(path)))))
    rmSync(join(root, 'dist', '.tsbuildinfo'), { force: true });
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await runQuietly(process.execPath, [tsc, '-p', '.', '--noEmitOnError'], { cwd: root });
  const expected = new Set(paths.map(outputOf));
  for (const path of listFiles(root, 'dist')) {
    if (/\.[mc]?js(\.map)?$/.test(path) && !expected.has(path.replace(/\.map$/, ''))) rmSync(join(root, path));
  }
  await bundleCommands(root);
  writeFileSync(stampFile(root), before);
}
