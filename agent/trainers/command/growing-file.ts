/** Reads a file while a program appends to it, rewrites it, replaces it or rotates it. */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errorMessage } from '../../../lib/text/error-message.ts';

const CHUNK_BYTES = 256 * 1024;
/**
 * To detect changed content, the last bytes that were read are compared with the file again. This is the maximum number
 * of compared bytes.
 */
const COMPARED_BYTES = 4_096;

export type Added =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** The file no longer begins with the content that was read. The new content is read from the beginning. */
  | { readonly kind: 'restart' };

/**
 * Follows a file that may not exist yet. The file is recognized by its content: if a program replaces the file with a
 * copy of it, reading continues at the same position. If the file is renamed or removed, its remainder is read before
 * any new file at the path.
 */
export class GrowingFile {
  #path: string;
  #open: { readonly file: FileHandle; readonly id: string } | undefined;
  #at = 0;
  /** The last bytes before `#at`. */
  #last: Buffer = Buffer.alloc(0);
  #problem: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The number of bytes that have been read, counted from the beginning of the file. */
  get at(): number {
    return this.#at;
  }

  /** The reason why the last read failed; undefined if the read succeeded. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Yields the bytes that the program has added since the last call.
   * @param path the file's current path, if the file was renamed
   */
  async *added(path = this.#path): AsyncGenerator<Added, void, undefined> {
    this.#path = path;
    try {
      yield* this.#added();
    } catch (error) {
      // A network file system can fail temporarily. The next call continues at the same place.
      this.#problem = problemOf(error);
      await this.close().catch(() => {});
    }
  }

  async *#added(): AsyncGenerator<Added, void, undefined> {
    const found = await openRegular(this.#path);
    this.#problem = typeof found === 'string' ? found : undefined;
    const next = typeof found === 'string' ? undefined : { file: found.file, id: fileId(found.stats) };
    if (this.#open !== undefined && this.#open.id !== next?.id) yield* this.#rest(this.#open.file);
    if (next === undefined) return;
    await this.#open?.file.close();
    this.#open = next;
    if (!(await this.#continues(next.file))) yield this.restart();
    for (;;) {
      const bytes = await bytesAt(next.file, this.#at, CHUNK_BYTES);
      if (bytes.length === 0) return;
      // The program can rewrite the file while it is read, so the content is compared again after each read.
      if (await this.#continues(next.file)) yield this.#take(bytes);
      else yield this.restart();
    }
  }

  /** Causes the next read to start at the beginning of the file. */
  restart(): Added {
    this.#at = 0;
    this.#last = Buffer.alloc(0);
    return { kind: 'restart' };
  }

  /** Closes the file; a later call of `added` opens it again. */
  async close(): Promise<void> {
    await this.#open?.file.close();
    this.#open = undefined;
  }

  async *#rest(file: FileHandle): AsyncGenerator<Added, void, undefined> {
    while (await this.#continues(file)) {
      const bytes = await bytesAt(file, this.#at, CHUNK_BYTES);
      if (bytes.length === 0) return;
      yield this.#take(bytes);
    }
  }

  async #continues(file: FileHandle): Promise<boolean> {
    return this.#last.equals(await bytesAt(file, this.#at - this.#last.length, this.#last.length));
  }

  #take(bytes: Buffer): Added {
    this.#at += bytes.length;
    this.#last = Buffer.concat([this.#last, bytes]).subarray(-COMPARED_BYTES);
    return { kind: 'bytes', bytes };
  }
}

/** Returns a text that identifies a file independently of its name. A new file may get the id of a removed file. */
export function fileId({ dev, ino }: Pick<Stats, 'dev' | 'ino'>): string {
  return `${dev}:${ino}`;
}

const PROBLEMS: ReadonlyMap<unknown, string> = new Map([
  ['ENOENT', 'no such file'],
  ['ENOTDIR', 'no such file'],
  ['EACCES', 'permission denied'],
  ['ELOOP', 'its links form a loop'],
]);

/** Opens a regular file. If the file cannot be read, returns the reason. */
async function openRegular(path: string): Promise<{ readonly file: FileHandle; readonly stats: Stats } | string> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe waits for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (stats.isFile()) return { file, stats };
    await file.close();
    return 'not a regular file';
  } catch (error) {
    await file?.close();
    return problemOf(error);
  }
}

function problemOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return PROBLEMS.get(code) ?? errorMessage(error);
}

async function bytesAt(file: FileHandle, from: number, length: number): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
  return buffer.subarray(0, bytesRead);
}
