import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runQuietly } from './run-quietly.mjs';

/** The folders that tsconfig.json compiles, in its order. */
function sourceFolders(root) {
  return JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')).include;
}

/** Paths of the TypeScript sources, relative to the root, sorted. */
function sources(root) {
  return sourceFolders(root)
    .flatMap((folder) => listFiles(root, folder))
    .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.d.ts'))
    .sort();
}

function listFiles(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const output = (source) => join('dist', source.replace(/\.tsx?$/, '.js'));

/** Of everything that decides what the compiler writes. By content: a copy or a checkout changes times only. */
function fingerprint(root, paths) {
  const hash = createHash('sha256');
  for (const path of ['tsconfig.json', 'package-lock.json', ...paths]) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update('\0');
  }
  return hash.digest('hex');
}

const stampFile = (root) => join(root, 'dist', '.built');

/**
 * Why the build has to run, or null.
 * @param {string} root the checkout
 * @returns {string | null}
 */
export function buildProblem(root) {
  const paths = sources(root);
  if (!existsSync(stampFile(root))) return 'dist is missing or unfinished';
  if (paths.some((path) => !existsSync(join(root, output(path))))) return 'part of dist is missing';
  return readFileSync(stampFile(root), 'utf8') === fingerprint(root, paths) ? null : 'sources have changed';
}

/**
 * Compiles all sources into dist/ and removes what deleted sources left there.
 * @param {string} root
 * @throws {import('./run-quietly.mjs').CommandError} with the compiler's messages
 */
export async function build(root) {
  const paths = sources(root);
  const before = fingerprint(root, paths);
  rmSync(stampFile(root), { force: true });
  // An incremental compiler does not notice that its output was deleted.
  if (paths.some((path) => !existsSync(join(root, output(path)))))
    rmSync(join(root, 'dist', '.tsbuildinfo'), { force: true });
  await runQuietly(
    process.execPath,
    [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.', '--noEmitOnError'],
    {
      cwd: root,
    },
  );
  const expected = new Set(paths.map(output));
  for (const path of listFiles(root, 'dist')) {
    if (/\.js(\.map)?$/.test(path) && !expected.has(path.replace(/\.map$/, ''))) rmSync(join(root, path));
  }
  writeFileSync(stampFile(root), before);
}
