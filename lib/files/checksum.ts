/** Computes SHA-256 checksums of bytes and files, as lower-case hexadecimal. */
import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';

export interface Checksum {
  /** The size in bytes. */
  readonly size: number;
  readonly sha256: string;
}

/** Returns the checksum of bytes, or of text in UTF-8. */
export function sha256Of(content: string | Uint8Array): string {
  return hash('sha256', content, 'hex');
}

/** Returns size and checksum of a file, without loading it into memory. @throws if the file cannot be read */
export function checksumOfFile(path: string): Promise<Checksum> {
  return checksumOfStream(createReadStream(path));
}

/** Returns size and checksum of all bytes of a stream. @throws if the stream fails */
export async function checksumOfStream(stream: AsyncIterable<Uint8Array>): Promise<Checksum> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of stream) {
    hash.update(piece);
    size += piece.byteLength;
  }
  return { size, sha256: hash.digest('hex') };
}
