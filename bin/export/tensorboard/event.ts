import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { tfRecord } from '../../../lib/files/tfrecord.ts';

/**
 * Writes fields of a protobuf message. The field numbers come from TensorBoard's .proto files, and never change.
 */
export type Fields = (writer: BinaryWriter) => BinaryWriter;

export function message(fields: Fields): Uint8Array {
  return fields(new BinaryWriter()).finish();
}

const bytes = (field: number, value: Uint8Array) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.LengthDelimited).bytes(value);
export const text = (field: number, value: string) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.LengthDelimited).string(value);
export const double = (field: number, value: number) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.Bit64).double(value);
const float = (field: number, value: number) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.Bit32).float(Math.fround(value));
const int64 = (field: number, value: number) => (writer: BinaryWriter) =>
  writer.tag(field, WireType.Varint).int64(value);
/** Encodes an int32 field or an enum field. */
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

/**
 * Encodes TensorBoard's `Event` (event.proto) as a TFRecord.
 * @param what the fields of the event after its time, such as a step and a `Summary` (summary.proto)
 */
const event = (wallMs: number, ...what: readonly Fields[]): Uint8Array =>
  tfRecord(message(all(double(1, wallMs / 1000), ...what)));

const summary = (...values: readonly Fields[]): Fields => inner(5, ...values.map((value) => inner(1, value)));

/** Encodes the first record of an event file, which contains the version of the format. */
export function fileVersion(wallMs: number): Uint8Array {
  return event(wallMs, text(3, 'brain.Event:2'));
}

/** Encodes the metrics of an epoch as 32-bit scalars (the field `simple_value` of a summary). */
export function scalars(wallMs: number, step: number, values: Readonly<Record<string, number>>): Uint8Array {
  const named = Object.entries(values).map(([name, value]) => all(text(1, name), float(2, value)));
  return event(wallMs, int64(2, step), summary(...named));
}

/**
 * An empty DT_FLOAT tensor, which a summary needs if it has only metadata: TensorBoard drops a summary without data.
 */
const NO_DATA = inner(8, int32(1, 1), inner(2));

/** Encodes an event with the data of a plugin. The metadata of its summary contains the data. */
export function pluginData(wallMs: number, tag: string, plugin: string, content: Uint8Array): Uint8Array {
  const metadata = inner(9, inner(1, text(1, plugin), bytes(2, content)));
  return event(wallMs, summary(all(text(1, tag), NO_DATA, metadata)));
}
