/**
 * Stores artifact files as artifacts/SWEEP/TRIAL/ATTEMPT/NAME in the coordinator's folder. A file without a row in the
 * store is left over from an incomplete upload, and is removed.
 */

import { createReadStream, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { checksumOfFile } from '../../lib/files/checksum.ts';
import { syncPath } from '../../lib/files/write-durably.ts';
import { RejectedError } from '../../proto/errors.ts';
import { ARTIFACT_CHUNK_BYTES } from '../../proto/limits.ts';
import type { Artifact } from '../core/model.ts';

/** The folder of partial files. It cannot be the name of an artifact, because those never begin with a dot. */
const PARTS = '.parts';

export class ArtifactFiles {
  /** The coordinator's folder. */
  readonly dir: string;
  readonly #root: string;
  /** Partial files that are being written. */
  readonly #uploading = new Set<string>();
  /** Paths to remove when `keepAll` ends; undefined outside `keepAll`. */
  #deferredRemovals: string[] | undefined;

  /** @param dir the coordinator's folder */
  constructor(dir: string) {
    this.dir = resolve(dir);
    this.#root = join(this.dir, 'artifacts');
  }

  path(key: AttemptKey, name: string): string {
    return join(this.#folder(key), name);
  }

  has(key: AttemptKey, name: string): boolean {
    return existsSync(this.path(key, name));
  }

  /** Whether the file is complete. Makes the file durable, because an earlier process may have died before it was. */
  async holds(key: AttemptKey, artifact: Artifact): Promise<boolean> {
    const path = this.path(key, artifact.name);
    if (!(await isFile(path, artifact))) return false;
    await syncFolders(dirname(path), this.dir);
    return true;
  }

  /**
   * Starts or resumes an upload. The caller closes the file.
   * @throws {RejectedError} while the attempt uploads the same contents
   */
  async begin(key: AttemptKey, artifact: Artifact): Promise<IncomingFile> {
    const part = join(this.#folder(key), PARTS, artifact.sha256);
    if (this.#uploading.has(part)) throw new RejectedError(`artifact ${artifact.name} is already being uploaded`);
    this.#uploading.add(part);
    try {
      await mkdir(dirname(part), { recursive: true });
      const file = await open(part, 'a+');
      const place: Place = { part, path: this.path(key, artifact.name), top: this.dir };
      const closed = () => this.#uploading.delete(part);
      return await IncomingFile.begin(file, place, artifact, closed);
    } catch (error) {
      this.#uploading.delete(part);
      throw error;
    }
  }

  /** Reads the file in chunks, starting at `offset`. */
  read(key: AttemptKey, name: string, offset: number): AsyncIterable<Buffer> {
    return createReadStream(this.path(key, name), { start: offset, highWaterMark: ARTIFACT_CHUNK_BYTES });
  }

  async remove(key: AttemptKey, name: string): Promise<void> {
    const path = this.path(key, name);
    if (this.#deferredRemovals === undefined) await rm(path, { force: true });
    else this.#deferredRemovals.push(path);
  }

  /** Removes all artifacts of an ended sweep. */
  async removeSweep(sweepId: string): Promise<void> {
    const path = join(this.#root, sweepId);
    if (this.#deferredRemovals === undefined) await rm(path, { recursive: true, force: true });
    else this.#deferredRemovals.push(path);
  }

  /** Defers all removals until the returned function is called. Calls must not overlap. */
  keepAll(): () => Promise<void> {
    const deferred: string[] = [];
    this.#deferredRemovals = deferred;
    return async () => {
      this.#deferredRemovals = undefined;
      await Promise.all(deferred.map((path) => rm(path, { recursive: true, force: true })));
    };
  }

  /** Removes every file for which `isStored` returns false. Only for startup, when there are no uploads. */
  async removeOrphans(isStored: (key: AttemptKey, name: string) => boolean): Promise<number> {
    if (!existsSync(this.#root)) return 0;
    let removed = 0;
    for (const entry of await readdir(this.#root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const [sweepId = '', trialId = '', attempt = '', ...name] = relative(this.#root, path).split(sep);
      if (isStored({ sweepId, trialId, attempt: Number(attempt) }, name.join('/'))) continue;
      await rm(path, { force: true });
      removed += 1;
    }
    return removed;
  }

  #folder({ sweepId, trialId, attempt }: AttemptKey): string {
    return join(this.#root, sweepId, trialId, `${attempt}`);
  }
}

interface Place {
  /** The path of the partial file. */
  readonly part: string;
  /** The path of the complete file. */
  readonly path: string;
  /** The coordinator's folder. The folders below it are made durable. */
  readonly top: string;
}

/** A file that is being uploaded. */
export class IncomingFile {
  readonly #file: FileHandle;
  readonly #place: Place;
  readonly #artifact: Artifact;
  readonly #closed: () => void;
  /** The number of bytes from an earlier, interrupted upload. */
  readonly offset: number;
  #size: number;

  private constructor(file: FileHandle, place: Place, artifact: Artifact, offset: number, closed: () => void) {
    this.#file = file;
    this.#place = place;
    this.#artifact = artifact;
    this.#closed = closed;
    this.offset = offset;
    this.#size = offset;
  }

  /** @param file the partial file, opened for appending */
  static async begin(file: FileHandle, place: Place, artifact: Artifact, closed: () => void): Promise<IncomingFile> {
    const { size } = await file.stat();
    const usable = size <= artifact.size;
    if (!usable) await file.truncate(0);
    return new IncomingFile(file, place, artifact, usable ? size : 0, closed);
  }

  /** Whether all bytes were received. */
  get whole(): boolean {
    return this.#size === this.#artifact.size;
  }

  /** @returns false if the file would exceed its announced size */
  async append(bytes: Uint8Array): Promise<boolean> {
    if (this.#size + bytes.byteLength > this.#artifact.size) return false;
    await this.#file.appendFile(bytes);
    this.#size += bytes.byteLength;
    return true;
  }

  /**
   * Moves the complete file to its path, durably.
   * @returns false if the checksum is wrong; the partial file is then deleted
   */
  async finish(): Promise<boolean> {
    await this.#file.sync();
    const { part, path, top } = this.#place;
    if ((await checksumOfFile(part)).sha256 !== this.#artifact.sha256) {
      await rm(part, { force: true });
      return false;
    }
    const folder = dirname(path);
    await mkdir(folder, { recursive: true });
    await rename(part, path);
    await syncFolders(folder, top);
    return true;
  }

  async close(): Promise<void> {
    try {
      await this.#file.close();
    } finally {
      this.#closed();
    }
  }
}

async function isFile(path: string, { size, sha256 }: Artifact): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true && found.size === size && (await checksumOfFile(path)).sha256 === sha256;
}

/**
 * Syncs folders from `lowest` up to `top`. A rename is durable only after its folder is synced, and a new folder only
 * after its parent is.
 */
async function syncFolders(lowest: string, top: string): Promise<void> {
  for (let path = lowest; ; path = dirname(path)) {
    await syncPath(path);
    if (path === top) return;
  }
}
