/** Checks with one small object whether a location in an S3-compatible store can be used for artifacts. */
import { sha256Of } from '../../lib/files/checksum.ts';
import type { S3Bucket } from './s3-bucket.ts';

const BYTES = Buffer.from('trawl checks that this location can be used\n');

/**
 * Checks that an object can be written, read, listed and deleted. Also checks whether the server verifies checksums.
 * The object is deleted at the end, even after a failure, if the server permits the deletion.
 * @param key the key of the small object. It must be different from the keys of all other objects.
 * @param whileStored called between the write and the deletion of the object
 * @throws {S3UnavailableError | NoSpaceError} if the location cannot be used
 */
export async function checkBucket(
  bucket: S3Bucket,
  key: string,
  whileStored: () => Promise<void> = async () => {},
): Promise<{ readonly verifiesChecksums: boolean }> {
  const sha256 = sha256Of(BYTES);
  await bucket.put(key, BYTES, sha256);
  try {
    const found = await bucket.head(key);
    for await (const chunk of bucket.read(key, 0, BYTES.byteLength)) void chunk;
    for await (const _ of bucket.list(key)) break;
    await whileStored();
    const verifiesChecksums = found?.sha256 === sha256 && (await rejectsWrongChecksum(bucket, key));
    await bucket.remove([key]);
    return { verifiesChecksums };
  } catch (error) {
    await bucket.remove([key]).catch(() => {});
    throw error;
  }
}

async function rejectsWrongChecksum(bucket: S3Bucket, key: string): Promise<boolean> {
  try {
    await bucket.put(key, Buffer.from('x'), '0'.repeat(64));
    return false;
  } catch {
    return true;
  }
}
