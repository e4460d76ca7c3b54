/**
 * Stores code archives as code/SHA256.tar in the coordinator's folder. Only pruning removes archives. If artifacts are
 * in a remote store, an archive counts as stored only after it was also copied there. An archive that is missing from
 * the folder is restored from its copy.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import { checksumOfFile } from '../../lib/files/checksum.ts';
import { innerPath } from '../../lib/files/inner-path.ts';
import { withResolvers } from '../../lib/net/within.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import type { CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { ARTIFACT_CHUNK_BYTES } from '../../proto/limits.ts';
import { IncomingFile, isStored, moveIntoPlace } from './incoming-file.ts';

/** The name of the folder of archives, inside the coordinator's folder. */
export const CODE_FOLDER = 'code';
const EXTENSION = '.tar';
const PARTS = '.parts';

/**
 * An archive without a sweep is kept for this time after its last upload, because a sweep with this archive can still
 * be submitted.
 */
export const UNUSED_CODE_MS = 3_600_000;
const RETRY_COPY_MS = 60_000;

/** Returns the name of an archive's file. */
export function codeArchiveName(sha256: string): string {
  return `${sha256}${EXTENSION}`;
}

/** Copies of code archives in a remote store. */
export interface CodeCopies {
  /** Durably copies the archive from the file `path` to the remote store, unless the remote store has it already. */
  store(archive: CodeArchive, path: string): Promise<void>;
  /** Returns the size of a copy in bytes; undefined if there is no copy. */
  size(sha256: string): Promise<number | undefined>;
  read(sha256: string, size: number): AsyncIterable<Buffer>;
  remove(sha256: string): Promise<void>;
  /** Lists all copies. `at` is the time of the copy in Unix milliseconds. */
  list(): AsyncIterable<CodeArchive & { readonly at: number }>;
}

export interface RemovedCode {
  readonly archives: number;
  /** The total size of the removed archives, in bytes. */
  readonly bytes: number;
}

export class CodeArchives {
  /** The coordinator's folder. */
  readonly dir: string;
  readonly #root: string;
  /** The uploads in progress, by checksum. Each promise resolves when its upload has ended. */
  readonly #uploads = new Map<string, Promise<void>>();
  readonly #copies: CodeCopies | undefined;
  /** The checksums of the archives that the remote store is known to have. */
  readonly #copied = new Set<string>();
  #kept = 0;

  /**
   * @param dir the coordinator's folder
   * @param copies undefined if archives are only in the folder
   */
  constructor(dir: string, copies?: CodeCopies) {
    this.dir = resolve(dir);
    this.#root = join(this.dir, CODE_FOLDER);
    this.#copies = copies;
  }

  path(sha256: string): string {
    return innerPath(this.#root, codeArchiveName(sha256));
  }

  has(sha256: string): boolean {
    return existsSync(this.path(sha256));
  }

  /** Returns whether the archive can be read. An archive that is missing from the folder is restored from its copy. */
  async available(sha256: string): Promise<boolean> {
    return this.has(sha256) || (await this.#restore(sha256));
  }

  /**
   * Returns whether the archive is complete, intact and durable, in the folder and in the remote store. A missing file
   * is restored from its copy, and a missing copy is made.
   * @throws {S3UnavailableError | NoSpaceError} if the remote store cannot be used
   */
  async secure(archive: CodeArchive): Promise<boolean> {
    const path = this.path(archive.sha256);
    if (!(await isStored({ path, top: this.dir }, archive)) && !(await this.#restore(archive.sha256))) return false;
    await this.#copy(archive, path);
    return this.holds(archive);
  }

  /**
   * Returns whether the archive is complete, intact and durable. Sends no request to the remote store: a copy counts if
   * it was made or seen since the coordinator started. If the archive is stored, the current time becomes the time of
   * its last upload.
   */
  async holds(archive: CodeArchive): Promise<boolean> {
    const path = this.path(archive.sha256);
    if (this.#copies !== undefined && !this.#copied.has(archive.sha256)) return false;
    if (!(await isStored({ path, top: this.dir }, archive))) return false;
    const now = new Date();
    await utimes(path, now, now);
    return true;
  }

  /**
   * Runs `work` once no other upload of the archive is in progress. Other uploads of the archive wait until `work` has
   * ended.
   */
  async exclusively<T>(sha256: string, work: () => Promise<T>): Promise<T> {
    for (let running = this.#uploads.get(sha256); running !== undefined; running = this.#uploads.get(sha256)) {
      await running;
    }
    const { promise, resolve: end } = withResolvers<void>();
    this.#uploads.set(sha256, promise);
    try {
      return await work();
    } finally {
      this.#uploads.delete(sha256);
      end();
    }
  }

  /**
   * Starts or resumes an upload. The caller must call this method within `exclusively`. The caller must close the
   * returned file.
   */
  begin(archive: CodeArchive): Promise<IncomingFile> {
    const { sha256 } = archive;
    const place = { path: this.path(sha256), top: this.dir };
    const store = async (part: string) => {
      await this.#copy(archive, part);
      await moveIntoPlace(part, place);
    };
    return IncomingFile.begin({ part: join(this.#root, PARTS, sha256), store }, archive, () => {});
  }

  /** Reads an archive in chunks, starting at `offset`. @throws ENOENT if there is neither a file nor a copy */
  async *read(sha256: string, offset: number): AsyncGenerator<Buffer> {
    await this.available(sha256);
    yield* createReadStream(this.path(sha256), { start: offset, highWaterMark: ARTIFACT_CHUNK_BYTES });
  }

  /**
   * Copies each intact archive in the folder to the remote store, if the remote store lacks the archive. For example,
   * it lacks archives that were uploaded before the coordinator began to use a remote store.
   * @returns the number of new copies
   */
  async copyMissing(): Promise<number> {
    if (this.#copies === undefined) return 0;
    for await (const { sha256 } of this.#copies.list()) this.#copied.add(sha256);
    let copies = 0;
    for (const { path, sha256 } of await this.#files()) {
      if (path !== this.path(sha256) || this.#copied.has(sha256)) continue;
      const found = await checksumOfFile(path);
      if (found.sha256 !== sha256) continue;
      await this.#copy(found, path);
      copies += 1;
    }
    return copies;
  }

  async #copy(archive: CodeArchive, path: string): Promise<void> {
    if (this.#copies === undefined) return;
    await this.#copies.store(archive, path);
    this.#copied.add(archive.sha256);
  }

  async #restore(sha256: string): Promise<boolean> {
    const size = await this.#copies?.size(sha256);
    if (this.#copies === undefined || size === undefined) return false;
    const part = join(this.#root, PARTS, `${sha256}.${randomUUID()}`);
    await mkdir(join(this.#root, PARTS), { recursive: true });
    try {
      await pipeline(this.#copies.read(sha256, size), createWriteStream(part, { flush: true }));
      if ((await checksumOfFile(part)).sha256 !== sha256) return false;
      await moveIntoPlace(part, { path: this.path(sha256), top: this.dir });
      return true;
    } finally {
      await rm(part, { force: true });
    }
  }

  /** Prevents every removal of archives until the returned function is called. */
  keepAll(): () => void {
    this.#kept += 1;
    return () => {
      this.#kept -= 1;
    };
  }

  /**
   * Removes archives, their copies in the remote store, and the files of partial uploads. Keeps archives that a sweep
   * names or that were last uploaded at or after `before`. Keeps partial uploads that are in progress or were last
   * written at or after `before`. Keeps everything while `keepAll` is in effect.
   * @param isUsed returns whether a sweep names the archive
   * @param before a time in Unix milliseconds
   * @param dryRun whether archives are only counted, not removed
   */
  async removeUnused(
    isUsed: (sha256: string) => Promise<boolean>,
    before: number,
    dryRun: boolean,
  ): Promise<RemovedCode> {
    let archives = 0;
    let bytes = 0;
    const removed = (size: number) => {
      archives += 1;
      bytes += size;
    };
    const isKept = async (sha256: string) => this.#kept > 0 || this.#uploads.has(sha256) || (await isUsed(sha256));
    for (const { path, sha256 } of await this.#files()) {
      const isOld = async () => {
        const found = await stat(path).catch(() => undefined);
        return found !== undefined && found.mtimeMs < before ? found : undefined;
      };
      const found = await isOld();
      if (found === undefined || (await isKept(sha256))) continue;
      if (dryRun) removed(found.size);
      else {
        await this.exclusively(sha256, async () => {
          // An upload of the archive may have ended while this removal waited.
          if ((await isOld()) === undefined || this.#kept > 0 || (await isUsed(sha256))) return;
          if (path === this.path(sha256)) await this.#removeCopy(sha256);
          await rm(path, { force: true });
          removed(found.size);
        });
      }
    }
    for await (const { sha256, size, at } of this.#copies?.list() ?? []) {
      if (at >= before || this.has(sha256) || (await isKept(sha256))) continue;
      if (dryRun) removed(size);
      else {
        await this.exclusively(sha256, async () => {
          if (this.has(sha256) || this.#kept > 0 || (await isUsed(sha256))) return;
          await this.#removeCopy(sha256);
          removed(size);
        });
      }
    }
    return { archives, bytes };
  }

  async #removeCopy(sha256: string): Promise<void> {
    this.#copied.delete(sha256);
    await this.#copies?.remove(sha256);
  }

  async #files(): Promise<{ path: string; sha256: string }[]> {
    const list = async (folder: string) => (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
    const archives = (await list(this.#root)).filter((path) => path.endsWith(EXTENSION));
    const parts = await list(join(this.#root, PARTS));
    return [...archives, ...parts].map((path) => {
      return { path, sha256: path.slice(path.lastIndexOf('/') + 1).replace(EXTENSION, '') };
    });
  }
}

/**
 * Copies all archives that the remote store lacks, in the background. Retries until the remote store can be used.
 * @returns a function that ends the retries
 */
export function startCopying(archives: CodeArchives, log: Logger): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const copy = () => {
    archives.copyMissing().then(
      (copies) => copies > 0 && log.info({ copies }, 'copied code archives to the artifact store'),
      (error) => {
        if (stopped) return;
        log.warn({ reason: errorMessage(error) }, 'could not copy code archives to the artifact store; retrying');
        timer = setTimeout(copy, RETRY_COPY_MS);
      },
    );
  };
  copy();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
