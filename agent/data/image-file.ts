/**
 * Images that stay in their file: what is read of it lies in the operating system's page cache, once for all workers of
 * a machine, where a copy in each would take 47 MB.
 */
import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { verifyOpen } from './cache.ts';
import type { DataFile } from './catalogue.ts';
import { DamagedFileError } from './errors.ts';
import { IMAGES_HEADER_BYTES, imagesHeader } from './idx.ts';

export class ImageFile {
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
  readonly #path: string;
  readonly #handle: FileHandle;
  /** Bytes of an image. */
  readonly #size: number;

  private constructor(path: string, handle: FileHandle, header: ReturnType<typeof imagesHeader>) {
    this.#path = path;
    this.#handle = handle;
    this.count = header.count;
    this.rows = header.rows;
    this.columns = header.columns;
    this.#size = header.rows * header.columns;
  }

  /** @throws {DamagedFileError} when its bytes are not the data set's */
  static async open(path: string, file: DataFile): Promise<ImageFile> {
    const handle = await open(path, 'r');
    try {
      await verifyOpen(handle, path, file);
      const header = Buffer.alloc(IMAGES_HEADER_BYTES);
      await handle.read(header, 0, IMAGES_HEADER_BYTES, 0);
      return new ImageFile(path, handle, imagesHeader(path, header, file.bytes));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * The images of those indices, one after the other. Not asynchronous: from the page cache an image takes some
   * microseconds, less than waiting for it would.
   * @throws {DamagedFileError} when the file was cut off since it was opened
   */
  read(indices: Int32Array): Uint8Array {
    const pixels = new Uint8Array(indices.length * this.#size);
    for (const [at, index] of indices.entries()) {
      const read = readSync(
        this.#handle.fd,
        pixels,
        at * this.#size,
        this.#size,
        IMAGES_HEADER_BYTES + index * this.#size,
      );
      if (read < this.#size) throw new DamagedFileError(`${this.#path} ended before image ${index}`);
    }
    return pixels;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
