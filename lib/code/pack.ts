/**
 * Packs folders of code as tar archives. A folder is packed when its sweep is submitted. The same files give the same
 * bytes on any machine, so the archive's checksum identifies the files. The archive is not compressed, because two
 * versions of a compressor can give different bytes, and because a small compressed archive could contain very large
 * files.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Header, Pax } from 'tar';
import { BadInputError } from '../../proto/errors.ts';
import type { CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { type CodeFile, type CodeFolder, unreadable } from './folder.ts';

const BLOCK = 512;
const CHUNK_BYTES = 1 << 18;
const FILE_MODE = 0o644;
const PROGRAM_MODE = 0o755;
/** The modification time of every entry. Copies of a file can have different times, but must give the same bytes. */
const FIXED_TIME = new Date(0);

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
