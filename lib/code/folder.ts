/**
 * Lists the files that a sweep sends to the agents: the files of the code folder that git would track, with their
 * current content.
 */
import { existsSync } from 'node:fs';
import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { BadInputError } from '../../proto/errors.ts';
import { DEFAULT_CODE_BYTES, MAX_CODE_FILES } from '../../proto/limits.ts';
import { errorMessage } from '../text/error-message.ts';
import { quote } from '../text/quote.ts';
import { formatSize } from '../text/size.ts';
import { foldersOf } from './archive.ts';
import { chartFolderOf, ownFile, ownFolder } from './own-output.ts';

/**
 * Files that are never sent, even if no .gitignore excludes them: the Git history, caches, installed packages, and the
 * files that W&B writes for each run.
 */
const ALWAYS_EXCLUDED = [
  '.git',
  '__pycache__/',
  '*.pyc',
  '.ipynb_checkpoints/',
  '.venv/',
  '/venv/',
  'node_modules/',
  '/wandb/run-*',
  '/wandb/offline-run-*',
  '/wandb/latest-run',
  '/wandb/debug*.log',
];

const LARGEST_SHOWN = 3;
/**
 * If one part of a folder has at least this share of the folder's size or number of files, errors name the part instead
 * of the folder.
 */
const DOMINANT_SHARE = 0.8;

export interface CodeFile {
  /** The path of the file relative to the code folder, with slashes as separators. */
  readonly path: string;
  /** The size in bytes; 0 for a link. */
  readonly size: number;
  readonly isExecutable: boolean;
  /** The target of a symbolic link, relative to the link's folder. Undefined for a regular file. */
  readonly target?: string;
}

export interface CodeFolder {
  readonly dir: string;
  /** The files, sorted by path. */
  readonly files: readonly CodeFile[];
  /** The sum of the files' sizes. */
  readonly bytes: number;
  /** The entries that are left out although no rule excludes them, each with the reason. */
  readonly omitted: readonly { readonly path: string; readonly reason: string }[];
}

export interface CodeRules {
  /** Patterns in the syntax of .gitignore, relative to the folder. These patterns apply in addition to .gitignore. */
  readonly exclude?: readonly string[];
  /** The maximum total size of all files, in bytes. Default: DEFAULT_CODE_BYTES. */
  readonly maxBytes?: number;
}

/**
 * Lists the files of a code folder that are sent to the agents.
 * @throws {BadInputError} if the folder is missing, cannot be read, was written by trawl, has no file to send, or
 * exceeds a limit
 */
export async function listCode(dir: string, { exclude = [], maxBytes = DEFAULT_CODE_BYTES }: CodeRules = {}) {
  const found = await stat(dir).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw unreadable(dir, error);
  });
  if (found?.isDirectory() !== true) throw new BadInputError(`code: ${dir} is not a folder`);
  const own = ownFolder(dir);
  if (own !== undefined) throw new BadInputError(`code: ${dir} is ${own}; name the folder of the program`);
  const walk = new Walk(await realpath(dir), ignore().add([...ALWAYS_EXCLUDED, ...exclude]));
  await walk.visit('', await levelsAbove(walk.root));
  const folder: CodeFolder = walk.result(dir);
  if (folder.files.length === 0) {
    throw new BadInputError(
      `code: ${dir} has no files to send: it is empty, or .gitignore and exclude cover all of it`,
    );
  }
  if (folder.bytes > maxBytes) throw tooLarge(folder, maxBytes);
  return folder;
}

/** The rules of one .gitignore, for paths below its folder. */
interface Level {
  /**
   * If the .gitignore is in a folder above the root of the walk, the path from this folder to the root, with a trailing
   * slash. Otherwise empty.
   */
  readonly above: string;
  /**
   * If the .gitignore is in a folder below the root of the walk, the path from the root to this folder, with a trailing
   * slash. Otherwise empty.
   */
  readonly below: string;
  readonly rules: Ignore;
}

/**
 * Returns the rules of the .gitignore files in the folders above `root`, up to the root of the repository, outermost
 * first. These rules also apply in `root`. Outside a repository, there are none.
 */
async function levelsAbove(root: string): Promise<Level[]> {
  const folders: string[] = [];
  for (let folder = root; ; folder = dirname(folder)) {
    if (folder !== root) folders.unshift(folder);
    if (existsSync(join(folder, '.git'))) break;
    // The folder is not in a repository, so git would ignore the .gitignore files above the folder.
    if (dirname(folder) === folder) return [];
  }
  const levels: Level[] = [];
  for (const folder of folders) {
    const rules = await rulesIn(folder);
    if (rules !== undefined) levels.push({ above: `${slashed(relative(folder, root))}/`, below: '', rules });
  }
  return levels;
}

async function rulesIn(folder: string): Promise<Ignore | undefined> {
  const path = join(folder, '.gitignore');
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error) || codeOf(error) === 'EISDIR') return undefined;
    throw unreadable(path, error);
  });
  return text === undefined ? undefined : ignore().add(text);
}

function isIgnored(path: string, levels: readonly Level[]): boolean {
  for (const { above, below, rules } of levels.toReversed()) {
    const result = rules.test(`${above}${path.slice(below.length)}`);
    if (result.ignored || result.unignored) return result.ignored;
  }
  return false;
}

class Walk {
  readonly root: string;
  readonly #excluded: Ignore;
  readonly #files: CodeFile[] = [];
  /** The links, each with the path of its target relative to the root. */
  readonly #links: { readonly path: string; readonly to: string }[] = [];
  readonly #omitted: { path: string; reason: string }[] = [];

  constructor(root: string, excluded: Ignore) {
    this.root = root;
    this.#excluded = excluded;
  }

  /** @param prefix the path of a folder with a trailing slash; empty for the root */
  async visit(prefix: string, outer: readonly Level[]): Promise<void> {
    const entries = await readdir(join(this.root, prefix), { withFileTypes: true }).catch((error) => {
      if (prefix !== '' && isMissing(error)) return void this.#omitMissing(prefix.slice(0, -1));
      throw unreadable(join(this.root, prefix), error, prefix);
    });
    if (entries === undefined) return;
    const rules = await rulesIn(join(this.root, prefix));
    const levels = rules === undefined ? outer : [...outer, { above: '', below: prefix, rules }];
    const chartFolders = new Set<string>();
    // Files are visited before folders, because a report of trawl must be recognized before the folder of its charts.
    for (const entry of entries.sort((a, b) => Number(a.isDirectory()) - Number(b.isDirectory()))) {
      const path = `${prefix}${entry.name}`;
      const tested = entry.isDirectory() ? `${path}/` : path;
      if (this.#excluded.ignores(tested) || isIgnored(tested, levels)) continue;
      if (entry.isDirectory()) {
        if (chartFolders.has(entry.name))
          this.#omitted.push({ path, reason: 'the charts of a report written by trawl' });
        else await this.#visitFolder(path, levels);
      } else if (entry.isFile()) {
        if (!(await this.#addFile(path))) chartFolders.add(chartFolderOf(entry.name));
      } else if (entry.isSymbolicLink()) await this.#addLink(path);
      else this.#omitted.push({ path, reason: 'not a file' });
    }
  }

  async #visitFolder(path: string, levels: readonly Level[]): Promise<void> {
    const own = ownFolder(join(this.root, path));
    if (own !== undefined) this.#omitted.push({ path, reason: own });
    else await this.visit(`${path}/`, levels);
  }

  /** @returns false if trawl wrote the file, and true otherwise */
  async #addFile(path: string): Promise<boolean> {
    const absolute = join(this.root, path);
    const read = async () => ({ found: await lstat(absolute), own: await ownFile(absolute) });
    const result = await read().catch((error: unknown) => {
      if (isMissing(error)) return void this.#omitMissing(path);
      throw unreadable(absolute, error, path);
    });
    if (result === undefined) return true;
    const { found, own } = result;
    if (own !== undefined) {
      this.#omitted.push({ path, reason: own });
      return false;
    }
    this.#files.push({ path, size: found.size, isExecutable: (found.mode & 0o100) !== 0 });
    if (this.#files.length > MAX_CODE_FILES) throw tooMany(this.root, this.#files);
    return true;
  }

  /**
   * Omits a file or folder that was listed but cannot be found. Node replaces the invalid bytes of a name that is not
   * UTF-8, and then cannot find the file.
   */
  #omitMissing(path: string): void {
    const isReplaced = path.includes('\ufffd');
    this.#omitted.push({ path, reason: isReplaced ? 'its name is not UTF-8' : 'removed while the folder was read' });
  }

  async #addLink(path: string): Promise<void> {
    const target = await realpath(join(this.root, path)).catch((error: unknown) => {
      const reason = isMissing(error) ? 'a link to nothing' : `a link that cannot be followed: ${reasonOf(error)}`;
      this.#omitted.push({ path, reason });
    });
    if (target === undefined) return;
    const to = slashed(relative(this.root, target));
    const isInside = target === this.root || target.startsWith(`${this.root}${sep}`);
    if (isInside) this.#links.push({ path, to });
    else this.#omitted.push({ path, reason: `a link to ${target}, outside the folder` });
  }

  result(dir: string): CodeFolder {
    const sent = new Set(this.#files.flatMap(({ path }) => [path, ...foldersOf(path)]));
    const links = this.#links.flatMap(({ path, to }): CodeFile[] => {
      if (to === '' || sent.has(to)) {
        // `to` is the resolved path, so the link that is sent does not lead through another link.
        return [{ path, size: 0, isExecutable: false, target: posix.relative(posix.dirname(path), to) || '.' }];
      }
      this.#omitted.push({ path, reason: `a link to ${to}, which is not sent` });
      return [];
    });
    const files = [...this.#files, ...links].sort((a, b) => (a.path < b.path ? -1 : 1));
    return { dir: resolve(dir), files, bytes: sum(files), omitted: this.#omitted };
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Whether the error means that nothing is at the path. ENOTDIR means that a file has replaced a folder of the path. */
function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}

const REASONS: ReadonlyMap<unknown, string> = new Map([
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['ELOOP', 'it leads back to itself'],
]);

function reasonOf(error: unknown): string {
  return REASONS.get(codeOf(error)) ?? errorMessage(error);
}

/**
 * Returns the error for a file or folder that cannot be read.
 * @param pattern the path of the entry relative to the code folder, if `exclude` can omit the entry; otherwise empty
 */
export function unreadable(path: string, error: unknown, pattern = ''): BadInputError {
  const remedy = pattern === '' ? '' : `; leave it out with code: {exclude: [${quote(`/${pattern}`)}]}`;
  return new BadInputError(`code: cannot read ${path}: ${reasonOf(error)}${remedy}`, { cause: error });
}

function slashed(path: string): string {
  return sep === '/' ? path : path.replaceAll(sep, '/');
}

function sum(files: readonly CodeFile[]): number {
  return files.reduce((total, { size }) => total + size, 0);
}

function tooLarge({ dir, files, bytes }: CodeFolder, limit: number): BadInputError {
  const largest = largestParts(files, ({ size }) => size);
  const list = largest.map(({ path, weight }) => `${path} (${formatSize(weight)})`).join(', ');
  return new BadInputError(
    `code: ${dir} has ${formatSize(bytes)} of files, more than the limit of ${formatSize(limit)}. The largest are ${list}. ` +
      `Leave them out with ${excludeExample(largest)}, or raise the limit with code: {limit: ${formatSize(bytes * 1.5)}}`,
  );
}

function tooMany(dir: string, files: readonly CodeFile[]): BadInputError {
  const largest = largestParts(files, () => 1);
  return new BadInputError(
    `code: ${dir} has more than ${MAX_CODE_FILES} files. The largest folders are ` +
      `${largest.map(({ path }) => path).join(', ')}. Leave them out with ${excludeExample(largest)}`,
  );
}

function excludeExample(largest: readonly Part[]): string {
  return `code: {exclude: [${quote(largest[0]?.path ?? 'data/')}]} or .gitignore`;
}

interface Part {
  /** The path of a folder has a trailing slash. */
  readonly path: string;
  /** The total size of the part's files in bytes, or the number of its files. */
  readonly weight: number;
}

/**
 * Returns the top-level folders and files with the greatest weight. If one part of a folder has at least DOMINANT_SHARE
 * of the folder's weight, returns this part instead of the folder.
 */
function largestParts(files: readonly CodeFile[], weightOf: (file: CodeFile) => number): Part[] {
  return partsOf(files, '', weightOf)
    .slice(0, LARGEST_SHOWN)
    .map((part) => narrowed(part, files, weightOf));
}

function narrowed(part: Part, files: readonly CodeFile[], weightOf: (file: CodeFile) => number): Part {
  if (!part.path.endsWith('/')) return part;
  const inside = files.filter(({ path }) => path.startsWith(part.path));
  const [first] = partsOf(inside, part.path, weightOf);
  const isDominant = first !== undefined && first.weight >= DOMINANT_SHARE * part.weight && part.weight > 0;
  return isDominant ? narrowed(first, inside, weightOf) : part;
}

function partsOf(files: readonly CodeFile[], prefix: string, weightOf: (file: CodeFile) => number): Part[] {
  const weights = new Map<string, number>();
  for (const file of files) {
    const slash = file.path.indexOf('/', prefix.length);
    const name = slash === -1 ? file.path : file.path.slice(0, slash + 1);
    weights.set(name, (weights.get(name) ?? 0) + weightOf(file));
  }
  return [...weights].map(([path, weight]) => ({ path, weight })).sort((a, b) => b.weight - a.weight);
}
