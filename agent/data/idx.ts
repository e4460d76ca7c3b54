/** IDX files, the format of MNIST: a big-endian header, then bytes (http://yann.lecun.com/exdb/mnist). */
import { readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { BadInputError } from '../../proto/errors.ts';
import { DamagedFileError, verifyOpen } from './cache.ts';
import type { DataFile } from './catalog.ts';

/** The IDX type for unsigned bytes in three dimensions. */
const IMAGES_MAGIC = 0x00000803;
const IMAGES_HEADER_BYTES = 16;
/** The IDX type for unsigned bytes in one dimension. */
const LABELS_MAGIC = 0x00000801;
const LABELS_HEADER_BYTES = 8;

export interface Images {
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
  /** `count * rows * columns` bytes, image by image and row by row. */
  readonly pixels: Uint8Array;
}

/**
 * Parses a file of images. `pixels` is a view of the file's bytes, not a copy.
 * @param name the file's name, for errors
 * @throws {BadInputError} when the file has another format, or its length does not match its header
 */
export function parseImages(name: string, file: Uint8Array): Images {
  return { ...imagesHeader(name, file, file.length), pixels: file.subarray(IMAGES_HEADER_BYTES) };
}

function imagesHeader(name: string, start: Uint8Array, bytes: number): Omit<Images, 'pixels'> {
  const header = headerOf(name, start, IMAGES_HEADER_BYTES, IMAGES_MAGIC, 'images');
  const [count, rows, columns] = [header.getUint32(4), header.getUint32(8), header.getUint32(12)];
  const expected = IMAGES_HEADER_BYTES + count * rows * columns;
  if (bytes !== expected)
    throw new BadInputError(`${name}: ${bytes} bytes, expected ${expected} for ${count} images of ${rows}x${columns}`);
  return { count, rows, columns };
}

/**
 * Parses a file of labels, one byte each. The labels are a view of the file's bytes, not a copy.
 * @param name the file's name, for errors
 * @throws {BadInputError} when the file has another format, or its length does not match its header
 */
export function parseLabels(name: string, file: Uint8Array): Uint8Array {
  const header = headerOf(name, file, LABELS_HEADER_BYTES, LABELS_MAGIC, 'labels');
  const count = header.getUint32(4);
  const expected = LABELS_HEADER_BYTES + count;
  if (file.length !== expected)
    throw new BadInputError(`${name}: ${file.length} bytes, expected ${expected} for ${count} labels`);
  return file.subarray(LABELS_HEADER_BYTES);
}

function headerOf(name: string, file: Uint8Array, bytes: number, magic: number, content: string): DataView {
  if (file.length < bytes) throw new BadInputError(`${name}: ${file.length} bytes, expected an IDX header of ${bytes}`);
  const header = new DataView(file.buffer, file.byteOffset, bytes);
  const found = header.getUint32(0);
  if (found !== magic)
    throw new BadInputError(`${name}: starts with 0x${hex(found)}, expected 0x${hex(magic)} (IDX ${content})`);
  return header;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/**
 * Images that are read from their file at each access. All workers of a machine therefore share one copy, in the
 * operating system's page cache. A copy in the memory of each worker would take 47 MB per worker.
 */
export class ImageFile {
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #imageBytes: number;

  private constructor(path: string, handle: FileHandle, header: ReturnType<typeof imagesHeader>) {
    this.#path = path;
    this.#handle = handle;
    this.count = header.count;
    this.rows = header.rows;
    this.columns = header.columns;
    this.#imageBytes = header.rows * header.columns;
  }

  /** @throws {DamagedFileError} when the size or the checksum is wrong */
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
   * Reads the images at the given indices into one array. The read is synchronous: it takes a few microseconds per
   * image from the page cache, and an asynchronous call would take longer.
   * @throws {DamagedFileError} when the file was truncated after it was opened
   */
  read(indices: Int32Array): Uint8Array {
    const pixels = new Uint8Array(indices.length * this.#imageBytes);
    for (const [at, index] of indices.entries()) {
      const read = readSync(
        this.#handle.fd,
        pixels,
        at * this.#imageBytes,
        this.#imageBytes,
        IMAGES_HEADER_BYTES + index * this.#imageBytes,
      );
      if (read < this.#imageBytes) throw new DamagedFileError(`${this.#path} ends before image ${index}`);
    }
    return pixels;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
