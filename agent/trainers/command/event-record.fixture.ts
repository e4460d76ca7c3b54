/** Writes records of TensorBoard event files, for tests. */
import { tfRecord } from '../../../lib/files/tfrecord.ts';

/** Returns `Event { step; Summary { Value { tag; simple_value } } }` as a TFRecord. */
export function eventRecord(tag: string, step: number, value: number): Buffer {
  const name = Buffer.from(tag);
  const float = Buffer.alloc(4);
  float.writeFloatLE(value);
  const summaryValue = Buffer.concat([Buffer.from([0x0a, name.length]), name, Buffer.from([0x15]), float]);
  const event = Buffer.from([0x10, step, 0x2a, summaryValue.length + 2, 0x0a, summaryValue.length, ...summaryValue]);
  return Buffer.from(tfRecord(event));
}
