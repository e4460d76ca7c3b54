/**
 * A folder of code as one file: packed where a sweep is submitted, unpacked for each attempt. The archive is a gzipped
 * tar; its identity is the hash of what it holds, so the same files always have the same identity.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { globby } from 'globby';
import { create, extract } from 'tar';
import { BadInputError } from '../../proto/errors.ts';

const DEFAULT_CODE_BYTES = 100 * 1024 * 1024;

/** Left out of every archive, besides what .gitignore names. */
const ALWAYS_EXCLUDED = [
  '.git/**',
  '**/__pycache__/**',
  '**/*.pyc',
  '.venv/**',
  'venv/**',
  '**/node_modules/**',
  'wandb/**',
];

/** Every file gets this time, so that the same content gives the same archive. */
const FIXED_TIME = new Date(0);
const LARGEST_SHOWN = 3;

export interface CodeOptions {
  /** Globs, relative to the folder, of files to leave out. */
  readonly exclude?: readonly string[];
  /** Default DEFAULT_CODE_BYTES. */
  readonly maxBytes?: number;
}

export interface CodeFiles {
  readonly dir: string;
  /** Paths relative to `dir`, sorted. */
  readonly paths: readonly string[];
  /** Sum of their sizes. */
  readonly bytes: number;
  /** SHA-256, in hexadecimal, over every file's path, kind, execute permission and content. */
  readonly hash: string;
}

/**
 * Lists the files of a folder that an archive would hold, and computes their identity. Files that .gitignore names are
 * left out; symbolic links are kept as links.
 * @throws {BadInputError} when the folder is missing, empty, or larger than the limit
 */
export async function listCode(dir: string, options: CodeOptions = {}): Promise<CodeFiles> {
  const { exclude = [], maxBytes = DEFAULT_CODE_BYTES } = options;
  const facts = await stat(dir).catch(() => undefined);
  if (facts?.isDirectory() !== true) throw new BadInputError(`code: ${dir} is not a folder`);
  const found = await globby('**', {
    cwd: dir,
    dot: true,
    gitignore: true,
    followSymbolicLinks: false,
    onlyFiles: false,
    markDirectories: true,
    ignore: [...ALWAYS_EXCLUDED, ...exclude],
  });
  const paths = found.filter((path) => !path.endsWith('/')).sort();
  if (paths.length === 0) throw new BadInputError(`code: ${dir} holds no files that are not excluded`);
  const sizes = await Promise.all(paths.map(async (path) => ({ path, size: (await lstat(join(dir, path))).size })));
  const bytes = sizes.reduce((sum, { size }) => sum + size, 0);
  if (bytes > maxBytes) throw tooLarge(dir, bytes, maxBytes, sizes);
  return { dir, paths, bytes, hash: await hashOf(dir, paths) };
}

/** Writes the archive to a path. */
export async function packCode({ dir, paths }: CodeFiles, to: string): Promise<void> {
  await create({ cwd: dir, file: to, gzip: true, portable: true, mtime: FIXED_TIME, noDirRecurse: true }, [...paths]);
}

/**
 * Unpacks an archive into a folder, which is created. Entries that would land outside it are not written.
 * @throws {Error} when the file is not an archive
 */
export async function unpackCode(archive: string, into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  await extract({ file: archive, cwd: into, strict: true, preservePaths: false });
}

async function hashOf(dir: string, paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    const facts = await lstat(join(dir, path));
    if (facts.isSymbolicLink()) {
      hash.update(`link\0${path}\0${await readlink(join(dir, path))}\0`);
    } else {
      hash.update(`file\0${path}\0${(facts.mode & 0o100) === 0 ? '-' : 'x'}\0${facts.size}\0`);
      await pipeline(createReadStream(join(dir, path)), hash, { end: false });
    }
  }
  return hash.digest('hex');
}

function tooLarge(dir: string, bytes: number, limit: number, sizes: readonly { path: string; size: number }[]) {
  const mebibytes = (size: number) => `${(size / 2 ** 20).toFixed(1)} MiB`;
  const largest = [...sizes].sort((a, b) => b.size - a.size).slice(0, LARGEST_SHOWN);
  return new BadInputError(
    `code: ${dir} has ${mebibytes(bytes)} of files, and the limit is ${mebibytes(limit)}; the largest are ` +
      `${largest.map(({ path, size }) => `${path} (${mebibytes(size)})`).join(', ')}. Exclude data with ` +
      '`code: {exclude: [data/**]}` or .gitignore, or raise the limit with `code: {max_size: 500MiB}`',
  );
}
