/** Reads the bytes of a sweep file and decodes its text. */
import { type FileHandle, open } from 'node:fs/promises';
import { errorMessage } from '../../lib/text/error-message.ts';
import { BadInputError } from '../../proto/errors.ts';
import { MAX_SWEEP_FILE_BYTES, SweepFileError, SweepFileTooLargeError, type TextPosition } from './problems.ts';

/**
 * Reads a sweep file from a path, which can be a pipe. A file that is too large is rejected before it is read. A pipe
 * is rejected as soon as its data exceed the limit.
 * @throws {SweepFileError} if the file is too large or is not UTF-8
 * @throws {BadInputError} if the file does not exist or cannot be read
 */
export async function readSweepFile(path: string): Promise<string> {
  return decodeSweepFile(await readBytes(path), path);
}

async function readBytes(path: string): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > MAX_SWEEP_FILE_BYTES) throw new SweepFileTooLargeError(path, `${size.toLocaleString('en')} bytes`);
    return await readAtMost(file, path);
  } catch (error) {
    if (error instanceof BadInputError) throw error;
    throw new BadInputError(`${path}: ${reason(error)}`);
  } finally {
    await file?.close();
  }
}

/** Reads at most one byte more than the limit, because a pipe or device has no size to check. */
async function readAtMost(file: FileHandle, path: string): Promise<Buffer> {
  const buffer = Buffer.alloc(MAX_SWEEP_FILE_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
  }
  throw new SweepFileTooLargeError(path, `over ${MAX_SWEEP_FILE_BYTES.toLocaleString('en')} bytes`);
}

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'no such file';
    case 'EISDIR':
      return 'is a folder, not a sweep file';
    case 'EACCES':
      return 'permission denied';
    default:
      return errorMessage(error);
  }
}

/**
 * Decodes UTF-8, and removes a byte order mark.
 * @throws {SweepFileError} with the position of the first byte that is not UTF-8
 */
export function decodeSweepFile(bytes: Uint8Array, fileName: string): string {
  const text = new TextDecoder('utf-8').decode(bytes);
  const bad = firstBadByte(text, bytes);
  if (bad !== undefined) {
    const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const hex = (bytes[bad.byte] ?? 0).toString(16).padStart(2, '0');
    const message = utf16
      ? 'the file is UTF-16; save it as UTF-8'
      : `byte ${bad.byte + 1} (0x${hex}) is not UTF-8; save the file as UTF-8`;
    throw new SweepFileError(fileName, [{ ...placeIn(text, bad.at), message }]);
  }
  return text;
}

/**
 * Finds the first byte that is not valid UTF-8. The decoder replaces invalid bytes with U+FFFD, but a valid text can
 * also contain U+FFFD.
 */
function firstBadByte(text: string, bytes: Uint8Array): { at: number; byte: number } | undefined {
  let byte = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  let done = 0;
  for (let at = text.indexOf('\ufffd'); at >= 0; at = text.indexOf('\ufffd', done)) {
    byte += Buffer.byteLength(text.slice(done, at));
    if (!(bytes[byte] === 0xef && bytes[byte + 1] === 0xbf && bytes[byte + 2] === 0xbd)) return { at, byte };
    byte += 3;
    done = at + 1;
  }
  return undefined;
}

function placeIn(text: string, offset: number): TextPosition {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}
