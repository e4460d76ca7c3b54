/** IDX, the format of the MNIST family: a big-endian header, then bytes (http://yann.lecun.com/exdb/mnist). */
import { BadInputError } from '../../proto/errors.ts';

/** Unsigned bytes in three dimensions. */
const IMAGES_MAGIC = 0x00000803;
export const IMAGES_HEADER_BYTES = 16;
/** Unsigned bytes in one dimension. */
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
 * Reads a file of images; `pixels` is a view of the file's bytes, not a copy.
 * @param name of the file, for errors.
 * @throws {BadInputError} when it is no such file, or shorter or longer than its header says.
 */
export function parseImages(name: string, file: Uint8Array): Images {
  return { ...imagesHeader(name, file, file.length), pixels: file.subarray(IMAGES_HEADER_BYTES) };
}

/**
 * The header of a file of images.
 * @param start the first IMAGES_HEADER_BYTES of it at least.
 * @param bytes of the whole file.
 * @throws {BadInputError} as {@link parseImages}.
 */
export function imagesHeader(name: string, start: Uint8Array, bytes: number): Omit<Images, 'pixels'> {
  const header = headerOf(name, start, IMAGES_HEADER_BYTES, IMAGES_MAGIC, 'images');
  const [count, rows, columns] = [header.getUint32(4), header.getUint32(8), header.getUint32(12)];
  const expected = IMAGES_HEADER_BYTES + count * rows * columns;
  if (bytes !== expected)
    throw new BadInputError(`${name}: ${bytes} bytes, expected ${expected} for ${count} images of ${rows}x${columns}`);
  return { count, rows, columns };
}

/**
 * Reads a file of labels, one byte each; a view of the file's bytes, not a copy.
 * @param name of the file, for errors.
 * @throws {BadInputError} when it is no such file, or shorter or longer than its header says.
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
    throw new BadInputError(`${name}: begins with 0x${hex(found)}, expected 0x${hex(magic)} (IDX ${content})`);
  return header;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
