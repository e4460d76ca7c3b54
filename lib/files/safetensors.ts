/**
 * Reads and writes safetensors, the common file format of network weights (https://huggingface.co/docs/safetensors). A
 * file consists of the length of the header (eight bytes), the header (JSON with names, shapes and offsets), and the
 * bytes of the tensors. Numbers are little-endian. The byte order of tensors is not converted here. Every platform that
 * Node supports is little-endian, except IBM's mainframes and AIX, on which this code does not work.
 */

import { BadInputError } from '../../proto/errors.ts';
import { errorMessage } from '../text/error-message.ts';

/** The number types of the format that are supported here. Each has the type of the array for its values. */
export interface SafeArrays {
  readonly F32: Float32Array;
  readonly I32: Int32Array;
  readonly U8: Uint8Array;
}

/** A tensor in row-major order. */
export type SafeTensor = {
  [D in keyof SafeArrays]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: SafeArrays[D] };
}[keyof SafeArrays];

export interface SafetensorsFile {
  readonly tensors: Readonly<Record<string, SafeTensor>>;
  /** Texts that describe the whole file. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The maximum size of the header that the format allows. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;
/** The header is padded to a multiple of this size, so that the data after the header is aligned. */
const ALIGNMENT = 8;
const METADATA = '__metadata__';

const BYTES = { F32: 4, I32: 4, U8: 1 } as const;

/**
 * Returns the bytes of a safetensors file. U8 tensors come last, so that every tensor is aligned. Apart from this,
 * tensors keep their order.
 * @throws {BadInputError} if a tensor's shape does not match its data, or its name is reserved by the format
 */
export function writeSafetensors({ tensors, metadata }: SafetensorsFile): Uint8Array {
  const sorted = Object.entries(tensors).sort(([, a], [, b]) => BYTES[b.dtype] - BYTES[a.dtype]);
  let end = 0;
  const entries = sorted.map(([name, { dtype, shape, data }]) => {
    if (name === METADATA)
      throw new BadInputError(`a tensor cannot be called ${METADATA}: the format reserves that name`);
    if (!isShape(shape) || elements(shape) !== data.length)
      throw new BadInputError(`tensor ${name}: ${data.length} elements do not fit shape [${shape}]`);
    const begin = end;
    end += data.byteLength;
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  const header = padded(JSON.stringify(Object.fromEntries([[METADATA, metadata], ...entries])));

  const file = new Uint8Array(LENGTH_BYTES + header.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, LENGTH_BYTES);
  let at = LENGTH_BYTES + header.length;
  for (const [, { data }] of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

/**
 * Parses a whole safetensors file. The tensors do not share the memory of `file`.
 * @throws {BadInputError} if the file is not a safetensors file, is damaged, has types other than F32, I32 and U8, or
 * has tensors that overlap or leave gaps
 */
export function readSafetensors(file: Uint8Array): SafetensorsFile {
  const { header, data } = split(file);
  const { [METADATA]: metadata = {}, ...described } = header;
  if (!isStrings(metadata)) throw malformed(`${METADATA} is not an object of strings`);

  const tensorEntries = Object.entries(described).map(([name, entry]) => parseEntry(name, entry));
  let covered = 0;
  for (const { name, begin, end } of [...tensorEntries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) throw malformed(`tensor ${name} begins at byte ${begin} of the data, expected ${covered}`);
    covered = end;
  }
  if (covered !== data.length) throw malformed(`${data.length} bytes of data, expected ${covered}`);

  const tensors = Object.fromEntries(tensorEntries.map((entry) => [entry.name, tensorAt(entry, data)]));
  return { tensors, metadata };
}

interface TensorEntry {
  readonly name: string;
  readonly dtype: SafeTensor['dtype'];
  readonly shape: readonly number[];
  /** The offset of the tensor in the data after the header, in bytes. */
  readonly begin: number;
  readonly end: number;
}

function split(file: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  if (file.length < LENGTH_BYTES) throw malformed(`${file.length} bytes, expected at least ${LENGTH_BYTES}`);
  const length = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES || LENGTH_BYTES + Number(length) > file.length)
    throw malformed(`the header should have ${length} bytes, but the whole file has ${file.length}`);
  const end = LENGTH_BYTES + Number(length);
  const header = parsed(file.subarray(LENGTH_BYTES, end));
  if (!isObject(header)) throw malformed('its header is not a JSON object');
  return { header, data: file.subarray(end) };
}

function parsed(header: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch (error) {
    throw malformed(`its header is not JSON (${errorMessage(error)})`);
  }
}

function parseEntry(name: string, entry: unknown): TensorEntry {
  if (!isObject(entry)) throw malformed(`tensor ${name} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isDtype(dtype))
    throw malformed(`tensor ${name} has dtype ${JSON.stringify(dtype)}, expected one of ${Object.keys(BYTES)}`);
  if (!isShape(shape)) throw malformed(`tensor ${name} has shape ${JSON.stringify(shape)}, expected whole numbers`);
  if (!isShape(offsets) || offsets.length !== 2)
    throw malformed(`tensor ${name} has data_offsets ${JSON.stringify(offsets)}, expected two whole numbers`);
  const [begin = 0, end = 0] = offsets;
  const expected = elements(shape) * BYTES[dtype];
  if (end - begin !== expected)
    throw malformed(`tensor ${name} has ${end - begin} bytes, expected ${expected} for ${dtype} [${shape}]`);
  return { name, dtype, shape, begin, end };
}

function tensorAt({ dtype, shape, begin, end }: TensorEntry, data: Uint8Array): SafeTensor {
  // `data` can be a `Buffer`. The `slice` of a `Buffer` would share its memory, and the result could be unaligned.
  const { buffer } = Uint8Array.prototype.slice.call(data, begin, end);
  switch (dtype) {
    case 'F32':
      return { dtype, shape, data: new Float32Array(buffer) };
    case 'I32':
      return { dtype, shape, data: new Int32Array(buffer) };
    case 'U8':
      return { dtype, shape, data: new Uint8Array(buffer) };
  }
}

function padded(header: string): Uint8Array {
  const bytes = new TextEncoder().encode(header);
  const filled = new Uint8Array(Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT).fill(' '.charCodeAt(0));
  filled.set(bytes);
  return filled;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function isShape(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function isDtype(value: unknown): value is SafeTensor['dtype'] {
  return typeof value === 'string' && Object.hasOwn(BYTES, value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStrings(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((text) => typeof text === 'string');
}

function malformed(problem: string): BadInputError {
  return new BadInputError(`not a safetensors file, or a damaged safetensors file: ${problem}`);
}
