/**
 * Encodes records of TFRecord, the format of TensorFlow's event files, and computes the checksums of records
 * (https://www.tensorflow.org/tutorials/load_data/tfrecord).
 */

/** The reflected polynomial of CRC-32C (RFC 3720, sections 12.1 and B.4). zlib uses another polynomial. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  return crc;
});

/** Returns the CRC-32C of bytes as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

const LENGTH_BYTES = 8;
const CRC_BYTES = 4;

/** Returns the masked CRC that TFRecord uses. The mask is needed because a CRC over data that contains CRCs is weak. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Encodes a record: length (uint64), masked CRC of the length, data, masked CRC of the data; little-endian. */
export function tfRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(LENGTH_BYTES + CRC_BYTES + data.length + CRC_BYTES);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(LENGTH_BYTES, maskedCrc(record.subarray(0, LENGTH_BYTES)), true);
  record.set(data, LENGTH_BYTES + CRC_BYTES);
  view.setUint32(LENGTH_BYTES + CRC_BYTES + data.length, maskedCrc(data), true);
  return record;
}
