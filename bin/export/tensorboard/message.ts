/**
 * The few messages that an export needs are written field by field, by their numbers in TensorBoard's .proto files: it
 * has no others to read, and they never change.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

export type Fields = (writer: BinaryWriter) => BinaryWriter;

export function message(fields: Fields): Uint8Array {
  return fields(new BinaryWriter()).finish();
}

export const bytes = (field: number, value: Uint8Array) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.LengthDelimited).bytes(value);
export const text = (field: number, value: string) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.LengthDelimited).string(value);
export const double = (field: number, value: number) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.Bit64).double(value);
export const float = (field: number, value: number) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.Bit32).float(value);
export const int64 = (field: number, value: number) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.Varint).int64(value);
/** Also of an enum's number. */
export const int32 = (field: number, value: number) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.Varint).int32(value);
export const flag = (field: number, value: boolean) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.Varint).bool(value);
export const inner =
  (field: number, ...parts: readonly Fields[]) =>
  (writer: BinaryWriter) =>
    all(...parts)(writer.tag(field, WireType.LengthDelimited).fork()).join();
export const all =
  (...parts: readonly Fields[]) =>
  (writer: BinaryWriter) =>
    parts.reduce((filled, part) => part(filled), writer);
