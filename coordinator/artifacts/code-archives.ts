/** Stores code archives as code/SHA256.tar in the coordinator's folder. Only a prune removes archives. */
import { createReadStream, existsSync } from 'node:fs';
import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { innerPath } from '../../lib/files/inner-path.ts';
import { withResolvers } from '../../lib/net/within.ts';
import type { CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { ARTIFACT_CHUNK_BYTES } from '../../proto/limits.ts';
import { IncomingFile, isStored, moveIntoPlace } from './incoming-file.ts';

/** The name of the folder of archives, inside the coordinator's folder. */
export const CODE_FOLDER = 'code';
const EXTENSION = '.tar';
const PARTS = '.parts';

/**
 * An archive that no sweep names is kept for this time after its last upload, because a sweep with this archive can
 * still be submitted.
 */
export const UNUSED_CODE_MS = 3_600_000;

/** Returns the name of an archive's file. */
export function codeArchiveName(sha256: string): string {
  return `${sha256}${EXTENSION}`;
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
  #kept = 0;

  /** @param dir the coordinator's folder */
  constructor(dir: string) {
    this.dir = resolve(dir);
    this.#root = join(this.dir, CODE_FOLDER);
  }

  path(sha256: string): string {
    return innerPath(this.#root, codeArchiveName(sha256));
  }

  has(sha256: string): boolean {
    return existsSync(this.path(sha256));
  }

  /**
   * Returns whether the archive is complete, intact and durable. The check of a complete archive counts as an upload at
   * the current time.
   */
  async holds(archive: CodeArchive): Promise<boolean> {
    const path = this.path(archive.sha256);
    if (!(await isStored({ path, top: this.dir }, archive))) return false;
    const now = new Date();
    await utimes(path, now, now);
    return true;
  }

  /** Runs `work` while no other upload of the archive is in progress. */
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
    const store = (part: string) => moveIntoPlace(part, place);
    return IncomingFile.begin({ part: join(this.#root, PARTS, sha256), store }, archive, () => {});
  }

  /** Reads an archive in chunks, starting at `offset`. */
  read(sha256: string, offset: number): AsyncIterable<Buffer> {
    return createReadStream(this.path(sha256), { start: offset, highWaterMark: ARTIFACT_CHUNK_BYTES });
  }

  /** Prevents every removal of archives until the returned function is called. */
  keepAll(): () => void {
    this.#kept += 1;
    return () => {
      this.#kept -= 1;
    };
  }

  /**
   * Removes archives and partial uploads that were last uploaded before `before`, except archives and uploads in use.
   * @param isUsed whether a sweep names the archive
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
    for (const { path, sha256 } of await this.#files()) {
      const found = await stat(path).catch(() => undefined);
      if (this.#kept > 0 || found === undefined || found.mtimeMs >= before) continue;
      if ((await isUsed(sha256)) || this.#uploads.has(sha256)) continue;
      if (!dryRun) await rm(path, { force: true });
      archives += 1;
      bytes += found.size;
    }
    return { archives, bytes };
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
