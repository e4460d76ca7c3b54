/** Keeps copies of code archives in an S3-compatible store, as PREFIX/CLUSTER/code/SHA256.tar. */
import type { CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { CODE_FOLDER, type CodeCopies, codeArchiveName } from './code-archives.ts';
import type { S3Bucket } from './s3-bucket.ts';

export class S3CodeCopies implements CodeCopies {
  readonly #bucket: S3Bucket;
  readonly #root: string;

  /** @param cluster the cluster name of the store, which separates coordinators that share a bucket */
  constructor(bucket: S3Bucket, cluster: string) {
    this.#bucket = bucket;
    this.#root = `${bucket.location.prefix}${cluster}/${CODE_FOLDER}/`;
  }

  async store(archive: CodeArchive, path: string): Promise<void> {
    if ((await this.size(archive.sha256)) !== archive.size) await this.replace(archive, path);
  }

  /** Stores an archive even if the store already has a copy, because the copy may be damaged. */
  replace({ sha256, size }: CodeArchive, path: string): Promise<void> {
    return this.#bucket.putFile(this.#key(sha256), path, { sha256, size });
  }

  async size(sha256: string): Promise<number | undefined> {
    return (await this.#bucket.head(this.#key(sha256)))?.size;
  }

  read(sha256: string, size: number): AsyncIterable<Buffer> {
    return this.#bucket.read(this.#key(sha256), 0, size);
  }

  remove(sha256: string): Promise<void> {
    return this.#bucket.remove([this.#key(sha256)]);
  }

  async *list(): AsyncGenerator<CodeArchive & { readonly at: number }> {
    for await (const { key, size, at } of this.#bucket.list(this.#root)) {
      const [, sha256] = /^([0-9a-f]{64})\.tar$/.exec(key.slice(this.#root.length)) ?? [];
      if (sha256 !== undefined) yield { sha256, size, at };
    }
  }

  #key(sha256: string): string {
    return `${this.#root}${codeArchiveName(sha256)}`;
  }
}
