/**
 * Safetensors, the common file format of network weights (https://huggingface.co/docs/safetensors): eight bytes of
 * header length, a JSON header of names, shapes and places, then the tensors' bytes, all little-endian. Numbers are
 * taken as this machine lays them out: every machine that Node is made for but IBM's mainframes is little-endian.
 */

import { BadInputError } from '../../proto/errors.ts';
import { errorMessage } from '../text/error-message.ts';

/** The types of numbers that are read and written, of all that the format knows. */
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
  /** Texts about the whole file. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The longest header in bytes: the format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;
/** The header is filled up with spaces to a multiple of this, so that the data behind it is aligned. */
const ALIGNMENT = 8;
const METADATA = '__metadata__';

const BYTES = { F32: 4, I32: 4, U8: 1 } as const;

/**
 * The file's bytes. Wide numbers come before bytes, so that each tensor is aligned; otherwise the order given is kept.
 * @throws {BadInputError} when a tensor's shape and data do not fit each other, or its name is the format's own.
 */
export function writeSafetensors({ tensors, metadata }: SafetensorsFile): Uint8Array {
  const placed = Object.entries(tensors).sort(([, a], [, b]) => BYTES[b.dtype] - BYTES[a.dtype]);
  let end = 0;
  const entries = placed.map(([name, { dtype, shape, data }]) => {
    if (name === METADATA) throw new BadInputError(`a tensor cannot be called ${METADATA}: the format uses that name`);
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
  for (const [, { data }] of placed) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

/**
 * Reads a whole file; the tensors are copies.
 * @throws {BadInputError} when it is no such file, damaged, or holds numbers other than F32, I32 and U8. Tensors must
 * cover the data without gap or overlap, as the format demands.
 */
export function readSafetensors(file: Uint8Array): SafetensorsFile {
  const { header, data } = cut(file);
  const { [METADATA]: metadata = {}, ...described } = header;
  if (!isTexts(metadata)) throw malformed(`${METADATA} is not an object of texts`);

  const places = Object.entries(described).map(([name, entry]) => placeOf(name, entry));
  let covered = 0;
  for (const { name, begin, end } of [...places].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) throw malformed(`tensor ${name} begins at byte ${begin} of the data, expected ${covered}`);
    covered = end;
  }
  if (covered !== data.length) throw malformed(`${data.length} bytes of data, expected ${covered}`);

  const tensors = Object.fromEntries(places.map((place) => [place.name, tensorAt(place, data)]));
  return { tensors, metadata };
}

interface Place {
  readonly name: string;
  readonly dtype: SafeTensor['dtype'];
  readonly shape: readonly number[];
  /** Of the data after the header, in bytes. */
  readonly begin: number;
  readonly end: number;
}

function cut(file: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  if (file.length < LENGTH_BYTES) throw malformed(`${file.length} bytes, expected at least ${LENGTH_BYTES}`);
  const length = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES || LENGTH_BYTES + Number(length) > file.length)
    throw malformed(`its header has ${length} bytes, the whole file ${file.length}`);
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

function placeOf(name: string, entry: unknown): Place {
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

function tensorAt({ dtype, shape, begin, end }: Place, data: Uint8Array): SafeTensor {
  // A copy, by Uint8Array's slice and not Buffer's, which shares its memory and may begin anywhere in it.
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

function isTexts(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((text) => typeof text === 'string');
}

function malformed(fault: string): BadInputError {
  return new BadInputError(`not a safetensors file, or a damaged one: ${fault}`);
}
