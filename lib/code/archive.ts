/**
 * Packs and unpacks folders of code as tar archives. A folder is packed when its sweep is submitted, and unpacked for
 * the attempts of the sweep. The same files give the same bytes on any machine, so the archive's checksum identifies
 * the files. The archive is not compressed, because two versions of a compressor can give different bytes, and because
 * a small compressed archive could contain very large files.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { extract, Header, list, Pax, type ReadEntry } from 'tar';
import { BadInputError, DamagedError } from '../../proto/errors.ts';
import type { CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_CODE_BYTES, MAX_CODE_FILES } from '../../proto/limits.ts';
import { errorMessage } from '../text/error-message.ts';
import { quote } from '../text/quote.ts';
import { type CodeFile, type CodeFolder, foldersOf, unreadable } from './folder.ts';

const BLOCK = 512;
const CHUNK_BYTES = 1 << 18;
const FILE_MODE = 0o644;
const PROGRAM_MODE = 0o755;
/** The modification time of every entry. Copies of a file can have different times, but must give the same bytes. */
const FIXED_TIME = new Date(0);
const MAX_PATH_BYTES = 4_096;

/**
 * Packs a folder into a new archive, and returns the archive's checksum and size.
 * @param archive the path of the new archive; no file may exist there
 * @throws {BadInputError} if a file cannot be read, or changes its size during packing
 */
export async function packCode(folder: CodeFolder, archive: string): Promise<CodeArchive> {
  const hash = createHash('sha256');
  const file = await open(archive, 'wx');
  let size = 0;
  try {
    for await (const piece of piecesOf(folder)) {
      hash.update(piece);
      size += piece.byteLength;
      await file.appendFile(piece);
    }
  } finally {
    await file.close();
  }
  return { sha256: hash.digest('hex'), size };
}

async function* piecesOf({ dir, files }: CodeFolder): AsyncGenerator<Uint8Array, void, undefined> {
  for (const file of files) {
    yield headerOf(file);
    if (file.target !== undefined) continue;
    yield* contentOf(join(dir, file.path), file);
    const rest = file.size % BLOCK;
    if (rest > 0) yield Buffer.alloc(BLOCK - rest);
  }
  yield Buffer.alloc(2 * BLOCK);
}

function headerOf({ path, size, isExecutable, target }: CodeFile): Buffer {
  const type = target === undefined ? 'File' : 'SymbolicLink';
  const mode = isExecutable ? PROGRAM_MODE : FILE_MODE;
  const link = target === undefined ? {} : { linkpath: target };
  const header = new Header({ path, type, mode, size, mtime: FIXED_TIME, ...link });
  // A name that is long or not ASCII does not fit into the header. A Pax header with the full name then precedes it.
  const needsPax = header.encode();
  const block = Buffer.from(header.block ?? Buffer.alloc(BLOCK));
  return needsPax ? Buffer.concat([new Pax({ path, ...link }).encode(), block]) : block;
}

async function* contentOf(path: string, { path: name, size }: CodeFile): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(path, error, name);
  });
  try {
    let at = 0;
    while (at < size) {
      const chunk = await readAt(file, at, Math.min(CHUNK_BYTES, size - at));
      if (chunk.length === 0) break;
      at += chunk.length;
      yield chunk;
    }
    if (at !== size || (await file.stat()).size !== size) {
      throw new BadInputError(`code: ${name} changed while it was packed; retry, or leave it out with exclude`);
    }
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}

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
