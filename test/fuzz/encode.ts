/** Encodes random messages of a given type. The values of the fields come from a `Values` object (values.ts). */
import protobuf from 'protobufjs';
import type { TestRandom } from '../support/random.ts';
import type { Values } from './values.ts';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const DEEPEST = 6;

/** @param first whether to set the first member of each oneof, not random members: for the first message of a stream */
export function encode(type: protobuf.Type, values: Values, random: TestRandom, first = false, depth = 0): Uint8Array {
  const pieces: Uint8Array[] = [];
  const chosen = new Set<protobuf.Field>();
  for (const { fieldsArray } of type.oneofsArray) {
    const members = first ? fieldsArray : random.shuffled(fieldsArray);
    for (const field of members.slice(0, first ? 1 : values.members())) chosen.add(field);
  }
  for (const field of type.fieldsArray) {
    if (field.partOf !== null && !chosen.has(field)) continue;
    if (depth >= DEEPEST && field.resolvedType instanceof protobuf.Type) continue;
    const times = field.partOf === null ? values.times(field) : 1;
    for (let time = 0; time < times; time++) pieces.push(encodeField(field, values, random, depth));
  }
  return Buffer.concat(pieces);
}

function encodeField(field: protobuf.Field, values: Values, random: TestRandom, depth: number): Uint8Array {
  if (field instanceof protobuf.MapField) {
    const key = Buffer.concat([tag(1, BYTES), bytes(values.text(field))]);
    return Buffer.concat([
      tag(field.id, BYTES),
      bytes(Buffer.concat([key, encodeValue(field, 2, values, random, depth)])),
    ]);
  }
  return encodeValue(field, field.id, values, random, depth);
}

function encodeValue(field: protobuf.Field, id: number, values: Values, random: TestRandom, depth: number): Uint8Array {
  const { resolvedType, type } = field;
  if (resolvedType instanceof protobuf.Type) {
    return Buffer.concat([tag(id, BYTES), bytes(encode(resolvedType, values, random, false, depth + 1))]);
  }
  if (type === 'string' || type === 'bytes') return Buffer.concat([tag(id, BYTES), bytes(values.text(field))]);
  if (type === 'double') {
    const eight = Buffer.alloc(8);
    eight.writeDoubleLE(values.double(field));
    return Buffer.concat([tag(id, FIXED64), eight]);
  }
  return Buffer.concat([tag(id, VARINT), varint(values.integer(field))]);
}

function bytes(content: Uint8Array): Uint8Array {
  return Buffer.concat([varint(BigInt(content.length)), content]);
}

function tag(id: number, wireType: number): Uint8Array {
  return varint(BigInt(id * 8 + wireType));
}

function varint(value: bigint): Uint8Array {
  const out: number[] = [];
  let left = value;
  for (; left >= 128n; left >>= 7n) out.push(Number(left & 127n) | 128);
  return Uint8Array.from([...out, Number(left)]);
}
