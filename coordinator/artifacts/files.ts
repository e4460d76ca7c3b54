/**
 * Artifacts' bytes, in files below the coordinator's folder: artifacts/SWEEP/TRIAL/ATTEMPT/NAME. A row in the store says
 * that a file counts; a file without one is what an attempt that died had not come to say, and is removed.
 */

import { createReadStream, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { checksumOfFile } from '../../lib/files/checksum.ts';
import { syncPath } from '../../lib/files/write-durably.ts';
import { RefusedError } from '../../proto/errors.ts';
import { ARTIFACT_CHUNK_BYTES } from '../../proto/limits.ts';
import type { Artifact } from '../core/model.ts';

/** Holds what is on its way; no artifact's name begins with a dot. */
const PARTS = '.parts';

export class ArtifactFiles {
  /** The coordinator's folder. */
  readonly dir: string;
  readonly #root: string;
  /** The parts that are being written to. */
  readonly #coming = new Set<string>();
  /** Files that go once `keepAll` is over; undefined: it is not asked for. */
  #heldBack: string[] | undefined;

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

  /** Whether these bytes are in their place, durably: a process may have died between putting them there and that. */
  async holds(key: AttemptKey, artifact: Artifact): Promise<boolean> {
    const path = this.path(key, artifact.name);
    if (!(await isFile(path, artifact))) return false;
    await syncFolders(dirname(path), this.dir);
    return true;
  }

  /**
   * Takes a file up where an earlier try left it; the caller closes it.
   * @throws {RefusedError} while the attempt's same bytes are on their way already
   */
  async begin(key: AttemptKey, artifact: Artifact): Promise<IncomingFile> {
    const part = join(this.#folder(key), PARTS, artifact.sha256);
    if (this.#coming.has(part)) throw new RefusedError(`artifact ${artifact.name} is on its way already`);
    this.#coming.add(part);
    try {
      await mkdir(dirname(part), { recursive: true });
      const file = await open(part, 'a+');
      const place: Place = { part, path: this.path(key, artifact.name), top: this.dir };
      const closed = () => this.#coming.delete(part);
      return await IncomingFile.begin(file, place, artifact, closed);
    } catch (error) {
      this.#coming.delete(part);
      throw error;
    }
  }

  /** The bytes from an offset on, a piece at a time. */
  read(key: AttemptKey, name: string, offset: number): AsyncIterable<Buffer> {
    return createReadStream(this.path(key, name), { start: offset, highWaterMark: ARTIFACT_CHUNK_BYTES });
  }

  async remove(key: AttemptKey, name: string): Promise<void> {
    const path = this.path(key, name);
    if (this.#heldBack === undefined) await rm(path, { force: true });
    else this.#heldBack.push(path);
  }

  /** Everything of a sweep that is over. */
  async removeSweep(sweepId: string): Promise<void> {
    const path = join(this.#root, sweepId);
    if (this.#heldBack === undefined) await rm(path, { recursive: true, force: true });
    else this.#heldBack.push(path);
  }

  /** From now on nothing is removed, until the returned function is called. One at a time. */
  keepAll(): () => Promise<void> {
    const heldBack: string[] = [];
    this.#heldBack = heldBack;
    return async () => {
      this.#heldBack = undefined;
      await Promise.all(heldBack.map((path) => rm(path, { recursive: true, force: true })));
    };
  }

  /** Removes every file that `counts` does not know. For a start, when nothing is on its way. */
  async removeOrphans(counts: (key: AttemptKey, name: string) => boolean): Promise<number> {
    if (!existsSync(this.#root)) return 0;
    let removed = 0;
    for (const entry of await readdir(this.#root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const [sweepId = '', trialId = '', attempt = '', ...name] = relative(this.#root, path).split(sep);
      if (counts({ sweepId, trialId, attempt: Number(attempt) }, name.join('/'))) continue;
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
  /** Where the bytes gather. */
  readonly part: string;
  /** Where the whole file goes. */
  readonly path: string;
  /** The folder that was there before all artifacts. */
  readonly top: string;
}

/** A file on its way in. */
export class IncomingFile {
  readonly #file: FileHandle;
  readonly #place: Place;
  readonly #artifact: Artifact;
  readonly #closed: () => void;
  /** Bytes that were here already. */
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

  /** @param file the part, opened to be appended to */
  static async begin(file: FileHandle, place: Place, artifact: Artifact, closed: () => void): Promise<IncomingFile> {
    const { size } = await file.stat();
    const usable = size <= artifact.size;
    if (!usable) await file.truncate(0);
    return new IncomingFile(file, place, artifact, usable ? size : 0, closed);
  }

  /** Whether every byte has come. */
  get whole(): boolean {
    return this.#size === this.#artifact.size;
  }

  /** @returns false when the file would become larger than it was said to be */
  async append(bytes: Uint8Array): Promise<boolean> {
    if (this.#size + bytes.byteLength > this.#artifact.size) return false;
    await this.#file.appendFile(bytes);
    this.#size += bytes.byteLength;
    return true;
  }

  /**
   * Puts the whole file in its place, durably.
   * @returns false when its bytes are not those that were announced: they are thrown away
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

/** A rename is durable once its folder is, and a new folder once the one above it is. */
async function syncFolders(lowest: string, top: string): Promise<void> {
  for (let path = lowest; ; path = dirname(path)) {
    await syncPath(path);
    if (path === top) return;
  }
}
