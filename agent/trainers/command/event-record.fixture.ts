/** Writes records of TensorBoard event files, for tests. */

/** Returns `Event { step; Summary { Value { tag; simple_value } } }` as a TFRecord with empty checksums. */
export function eventRecord(tag: string, step: number, value: number): Buffer {
  const name = Buffer.from(tag);
  const float = Buffer.alloc(4);
  float.writeFloatLE(value);
  const summaryValue = Buffer.concat([Buffer.from([0x0a, name.length]), name, Buffer.from([0x15]), float]);
  const event = Buffer.from([0x10, step, 0x2a, summaryValue.length + 2, 0x0a, summaryValue.length, ...summaryValue]);
  const header = Buffer.alloc(12);
  header.writeBigUInt64LE(BigInt(event.length));
  return Buffer.concat([header, event, Buffer.alloc(4)]);
}
