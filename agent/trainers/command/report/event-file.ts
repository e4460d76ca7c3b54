/**
 * Reads the scalars of TensorBoard's event files while they are written. An event file is a sequence of TFRecords
 * (https://www.tensorflow.org/tutorials/load_data/tfrecord), each of which contains an `Event` message
 * (tensorflow/core/util/event.proto). Only fields with scalars are read: `simple_value`, and scalar tensors, which
 * TensorFlow 2 and Keras write.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { maskedCrc } from '../../../../lib/files/tfrecord.ts';

/** The maximum size of a record that is read. Scalars take less than a kilobyte; images and graphs take much more. */
const MAX_SCALAR_RECORD = 1 << 20;
const LENGTH_BYTES = 8;
const HEADER_BYTES = 12;
const FOOTER_BYTES = 4;

export interface Scalar {
  readonly tag: string;
  readonly step: number;
  readonly value: number;
}

/**
 * Splits a growing event file into records and reads their scalars. The bytes must be added in order. A record whose
 * data do not match their checksum is skipped. If a length does not match its checksum, the file is read no further,
 * because the next record cannot be found.
 */
export class EventFileReader {
  readonly #onDamage: (problem: string) => void;
  #isEnded = false;
  #rest: Buffer = Buffer.alloc(0);
  /** The number of bytes that are still to be skipped, because their record is too large to contain scalars. */
  #skip = 0;

  constructor(onDamage: (problem: string) => void) {
    this.#onDamage = onDamage;
  }

  /** @returns the scalars of every record that is now complete */
  push(bytes: Uint8Array): Scalar[] {
    if (this.#isEnded) return [];
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const scalars: Scalar[] = [];
    for (;;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, this.#rest.length);
        this.#rest = this.#rest.subarray(skipped);
        this.#skip -= skipped;
        if (this.#skip > 0) return scalars;
      }
      if (this.#rest.length < HEADER_BYTES) return scalars;
      if (!matches(this.#rest, 0, LENGTH_BYTES)) {
        this.#isEnded = true;
        this.#rest = Buffer.alloc(0);
        this.#onDamage('the length of a record does not match its checksum; the rest of the file is not read');
        return scalars;
      }
      const length = Number(this.#rest.readBigUInt64LE(0));
      const whole = HEADER_BYTES + length + FOOTER_BYTES;
      if (length > MAX_SCALAR_RECORD) {
        this.#skip = whole;
        continue;
      }
      if (this.#rest.length < whole) return scalars;
      if (matches(this.#rest, HEADER_BYTES, length)) {
        scalars.push(...scalarsOf(this.#rest.subarray(HEADER_BYTES, HEADER_BYTES + length)));
      } else this.#onDamage('a record does not match its checksum and is skipped');
      this.#rest = this.#rest.subarray(whole);
    }
  }
}

/** Returns whether bytes match the checksum that follows them. */
function matches(file: Buffer, start: number, length: number): boolean {
  return maskedCrc(file.subarray(start, start + length)) === file.readUInt32LE(start + length);
}

function scalarsOf(event: Uint8Array): Scalar[] {
  try {
    let step = 0;
    let values: Omit<Scalar, 'step'>[] = [];
    const reader = new BinaryReader(event);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 2 && type === WireType.Varint) step = Number(reader.int64());
      else if (field === 5 && type === WireType.LengthDelimited) values = valuesOf(reader.bytes());
      else reader.skip(type);
    }
    return values.map((value) => ({ ...value, step }));
  } catch {
    return [];
  }
}

/** Reads a message `Summary { repeated Value value = 1 }`. */
function valuesOf(summary: Uint8Array): Omit<Scalar, 'step'>[] {
  const values: Omit<Scalar, 'step'>[] = [];
  const reader = new BinaryReader(summary);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.LengthDelimited) {
      const value = summaryValue(reader.bytes());
      if (value !== undefined) values.push(value);
    } else reader.skip(type);
  }
  return values;
}

/** Reads a message `Value { string tag = 1; float simple_value = 2; TensorProto tensor = 8 }`. */
function summaryValue(bytes: Uint8Array): Omit<Scalar, 'step'> | undefined {
  let tag = '';
  let value: number | undefined;
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.LengthDelimited) tag = reader.string();
    else if (field === 2 && type === WireType.Bit32) value = reader.float();
    else if (field === 8 && type === WireType.LengthDelimited) value = scalarTensor(reader.bytes());
    else reader.skip(type);
  }
  return value === undefined ? undefined : { tag, value };
}

const DT_FLOAT = 1;
const DT_DOUBLE = 2;
const DT_INT32 = 3;
const DT_INT64 = 9;

function scalarTensor(bytes: Uint8Array): number | undefined {
  let dtype = 0;
  let rank = 0;
  let content: Uint8Array | undefined;
  let value: number | undefined;
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.Varint) dtype = reader.int32();
    else if (field === 2 && type === WireType.LengthDelimited) rank = rankOf(reader.bytes());
    else if (field === 4 && type === WireType.LengthDelimited) content = reader.bytes();
    else if (field === 5 && (type === WireType.LengthDelimited || type === WireType.Bit32)) {
      value = packed(reader, type, 4, (inner) => inner.float());
    } else if (field === 6 && (type === WireType.LengthDelimited || type === WireType.Bit64)) {
      value = packed(reader, type, 8, (inner) => inner.double());
    } else if (field === 7 && type === WireType.Varint) value = reader.int32();
    else if (field === 10 && type === WireType.Varint) value = Number(reader.int64());
    else reader.skip(type);
  }
  if (rank > 0) return undefined;
  return content !== undefined && content.length > 0 ? numberIn(content, dtype) : value;
}

function packed(
  reader: BinaryReader,
  type: WireType,
  size: number,
  read: (inner: BinaryReader) => number,
): number | undefined {
  if (type !== WireType.LengthDelimited) return read(reader);
  const bytes = reader.bytes();
  return bytes.length === size ? read(new BinaryReader(bytes)) : undefined;
}

/** Returns the number of dimensions in a message `TensorShapeProto { repeated Dim dim = 2 }`. */
function rankOf(shape: Uint8Array): number {
  let rank = 0;
  const reader = new BinaryReader(shape);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 2) rank += 1;
    reader.skip(type);
  }
  return rank;
}

function numberIn(content: Uint8Array, dtype: number): number | undefined {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  if (dtype === DT_FLOAT && content.length === 4) return view.getFloat32(0, true);
  if (dtype === DT_DOUBLE && content.length === 8) return view.getFloat64(0, true);
  if (dtype === DT_INT32 && content.length === 4) return view.getInt32(0, true);
  if (dtype === DT_INT64 && content.length === 8) return Number(view.getBigInt64(0, true));
  return undefined;
}
