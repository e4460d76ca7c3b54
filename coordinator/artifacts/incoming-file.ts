/**
 * Represents a file that is being uploaded. The upload writes a partial file. After an interruption, a later upload
 * adds the missing bytes. Once all bytes have arrived, the file is verified and stored.
 */
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { type Checksum, checksumOfFile } from '../../lib/files/checksum.ts';
import { syncPath } from '../../lib/files/write-durably.ts';
import { ConflictError } from '../../proto/errors.ts';
import type { IncomingArtifact } from './artifact-store.ts';

export interface UploadPaths {
  /** The path of the partial file. */
  readonly part: string;
  /** Called once `part` has all bytes and is verified. Stores the content durably, and removes `part`. */
  readonly store: (part: string) => Promise<void>;
}

/** The place of a complete file. */
export interface FilePlace {
  readonly path: string;
  /** The coordinator's folder. All folders from the file up to this folder are synced. */
  readonly top: string;
}

export class IncomingFile implements IncomingArtifact {
  readonly #file: FileHandle;
  readonly #place: UploadPaths;
  readonly #announced: Checksum;
  readonly #onClosed: () => void;
  readonly offset: number;
  #size: number;

  private constructor(file: FileHandle, place: UploadPaths, announced: Checksum, offset: number, onClosed: () => void) {
    this.#file = file;
    this.#place = place;
    this.#announced = announced;
    this.#onClosed = onClosed;
    this.offset = offset;
    this.#size = offset;
  }

  /**
   * Starts or resumes an upload. The caller must close the file.
   * @param onClosed called when the file is closed, and also if this call fails
   */
  static async begin(place: UploadPaths, announced: Checksum, onClosed: () => void): Promise<IncomingFile> {
    try {
      await mkdir(dirname(place.part), { recursive: true });
      const file = await open(place.part, 'a+');
      const { size } = await file.stat();
      const isUsable = size <= announced.size;
      if (!isUsable) await file.truncate(0);
      return new IncomingFile(file, place, announced, isUsable ? size : 0, onClosed);
    } catch (error) {
      onClosed();
      throw error;
    }
  }

  get whole(): boolean {
    return this.#size === this.#announced.size;
  }

  async append(bytes: Uint8Array): Promise<boolean> {
    if (this.#size + bytes.byteLength > this.#announced.size) return false;
    await this.#file.appendFile(bytes);
    this.#size += bytes.byteLength;
    return true;
  }

  /**
   * Verifies the complete file and stores it durably.
   * @returns false if the checksum is wrong, in which case the partial file is deleted
   * @throws any error that the callback `store` throws
   */
  async finish(): Promise<boolean> {
    await this.#file.sync();
    const { part, store } = this.#place;
    if ((await checksumOfFile(part)).sha256 !== this.#announced.sha256) {
      await rm(part, { force: true });
      return false;
    }
    await store(part);
    return true;
  }

  async close(): Promise<void> {
    try {
      await this.#file.close();
    } finally {
      this.#onClosed();
    }
  }
}

/**
 * Moves a complete, synced file to its path. The move is durable.
 * @throws {ConflictError} if the path uses a stored file as a folder, or if the path is a folder
 */
export async function moveIntoPlace(part: string, { path, top }: FilePlace): Promise<void> {
  const folder = dirname(path);
  try {
    await mkdir(folder, { recursive: true });
    await rename(part, path);
  } catch (error) {
    throw conflictOf(error, relative(top, path));
  }
  await syncFolders(folder, top);
}

const CONFLICTS: readonly unknown[] = ['ENOTDIR', 'EEXIST', 'EISDIR', 'ENOTEMPTY'];

function conflictOf(error: unknown, path: string): unknown {
  if (!(error instanceof Error && 'code' in error && CONFLICTS.includes(error.code))) return error;
  return new ConflictError(`${path} conflicts with a stored file: a name cannot be both a file and a folder`);
}

/**
 * Returns whether the uploaded file is complete and intact. If so, first syncs the folders above the file, because an
 * earlier coordinator may have been killed after it moved the file and before it synced the folders.
 */
export async function isStored({ path, top }: FilePlace, { size, sha256 }: Checksum): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true || found.size !== size) return false;
  if ((await checksumOfFile(path)).sha256 !== sha256) return false;
  await syncFolders(dirname(path), top);
  return true;
}

/**
 * Syncs a file's folder and all folders above it, up to `top`. A rename is durable only after a sync of its folder. A
 * new folder is durable only after a sync of its parent.
 */
async function syncFolders(lowest: string, top: string): Promise<void> {
  for (let path = lowest; ; path = dirname(path)) {
    await syncPath(path);
    if (path === top) return;
  }
}
