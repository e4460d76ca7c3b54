/**
 * Checks and unpacks archives of code. An archive is a tar file that pack.ts wrote. It is unpacked for the attempts of
 * its sweep. This module is separate from pack.ts, because each worker imports this module, and should load as little
 * code as possible.
 */
import { mkdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { extract, list, type ReadEntry } from 'tar';
import { DamagedError } from '../../proto/errors.ts';
import { MAX_CODE_BYTES, MAX_CODE_FILES } from '../../proto/limits.ts';
import { errorMessage } from '../text/error-message.ts';
import { quote } from '../text/quote.ts';

const MAX_PATH_BYTES = 4_096;

/** The header of an entry of an archive. */
export interface ArchiveEntry {
  readonly path: string;
  /** The type of the entry, as in the package tar: `File`, `SymbolicLink`, `Directory` or another type. */
  readonly type: string;
  readonly size: number;
  /** The target of a link; empty for other entries. */
  readonly linkpath: string;
}

/**
 * Creates a folder and unpacks an archive into it. Nothing is written if an entry would be outside the folder.
 * @throws {DamagedError} if the archive is malformed, or contains an entry that is not allowed in a code folder
 */
export async function unpackCode(archive: string, into: string): Promise<void> {
  const problem = entriesProblem(await entriesOf(archive));
  if (problem !== undefined) throw new DamagedError(`the code archive is rejected: ${problem}`);
  await mkdir(into, { recursive: true });
  await extract({ file: archive, cwd: into, strict: true, preserveOwner: false, noMtime: true });
}

async function entriesOf(archive: string): Promise<ArchiveEntry[]> {
  const entries: ArchiveEntry[] = [];
  let extended: string | undefined;
  const onReadEntry = ({ path, type, size, linkpath }: ReadEntry) => {
    // One entry more than the limit is enough to reject the archive, so further entries are not kept.
    if (entries.length <= MAX_CODE_FILES) entries.push({ path, type, size, linkpath: linkpath ?? '' });
  };
  try {
    await list({
      file: archive,
      strict: true,
      onReadEntry,
      onwarn: (code, message) => {
        extended ??= `${message} (${code})`;
      },
    });
  } catch (error) {
    throw new DamagedError(`the code archive is not a tar archive: ${errorMessage(error)}`);
  }
  if (extended !== undefined) throw new DamagedError(`the code archive is damaged: ${extended}`);
  return entries;
}

/** Returns the reason why an archive with these entries must not be unpacked; undefined if it may be unpacked. */
export function entriesProblem(entries: readonly ArchiveEntry[]): string | undefined {
  if (entries.length > MAX_CODE_FILES) return `it has more than ${MAX_CODE_FILES} entries`;
  const bytes = entries.reduce((sum, { size }) => sum + size, 0);
  if (!(bytes <= MAX_CODE_BYTES)) return `its files have more than ${MAX_CODE_BYTES} bytes`;
  const paths = new Set<string>();
  const folders = new Set(entries.flatMap(({ path }) => foldersOf(path)));
  for (const { path, type } of entries) {
    const problem = pathProblem(path) ?? (paths.has(path) ? 'it occurs twice' : undefined);
    if (problem !== undefined) return `${quote(path)}: ${problem}`;
    if (type !== 'File' && type !== 'SymbolicLink') return `${quote(path)} is a ${type}; expected files and links`;
    if (folders.has(path)) return `${quote(path)} cannot be both a file and a folder`;
    paths.add(path);
  }
  const links = new Set(entries.flatMap(({ path, type }) => (type === 'SymbolicLink' ? [path] : [])));
  for (const { path, type, linkpath } of entries) {
    if (type !== 'SymbolicLink') continue;
    const to = posix.join(posix.dirname(path), linkpath);
    const isDirect = linkpath === (posix.relative(posix.dirname(path), to) || '.');
    const isInside = to === '.' || folders.has(to) || (paths.has(to) && !links.has(to));
    if (!isDirect || !isInside) return `${quote(path)} is a link to ${quote(linkpath)}, which is not in the archive`;
  }
  return undefined;
}

function pathProblem(path: string): string | undefined {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `its path has more than ${MAX_PATH_BYTES} bytes`;
  const steps = path.split('/');
  const isPlain = steps.every((step) => step !== '' && step !== '.' && step !== '..' && !/[\\\0]/.test(step));
  return isPlain ? undefined : 'its path is not a plain path inside the folder';
}

/** Returns the folders above a path: `a/b/c` is in `a` and `a/b`. */
export function foldersOf(path: string): string[] {
  const steps = path.split('/').slice(0, -1);
  return steps.map((_, at) => steps.slice(0, at + 1).join('/'));
}
