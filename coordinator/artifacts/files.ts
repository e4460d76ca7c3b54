/**
 * Artifacts' bytes, in files below the coordinator's folder: artifacts/SWEEP/TRIAL/ATTEMPT/NAME. A row in the store says
 * that a file counts; a file without one is what an attempt that died had not come to say, and is removed.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { ARTIFACT_CHUNK_BYTES } from '../../proto/artifacts.ts';
import type { Artifact, AttemptKey } from '../core/model.ts';

/** Holds what is on its way; no artifact's name begins with a dot. */
const PARTS = '.parts';

export class ArtifactFiles {
  readonly #root: string;

  /** @param dir the coordinator's folder */
  constructor(dir: string) {
    this.#root = join(dir, 'artifacts');
  }

  path(key: AttemptKey, name: string): string {
    return join(this.#folder(key), name);
  }

  has(key: AttemptKey, name: string): boolean {
    return existsSync(this.path(key, name));
  }

  /** Takes a file up where an earlier try left it. */
  async begin(key: AttemptKey, artifact: Artifact): Promise<IncomingFile> {
    const part = join(this.#folder(key), PARTS, artifact.sha256);
    await mkdir(dirname(part), { recursive: true });
    const file = await open(part, 'a+');
    const { size } = await file.stat();
    if (size > artifact.size) await file.truncate(0);
    const offset = size > artifact.size ? 0 : size;
    return new IncomingFile(file, part, this.path(key, artifact.name), artifact, offset);
  }

  /** The bytes from an offset on, a piece at a time. */
  read(key: AttemptKey, name: string, offset: number): AsyncIterable<Buffer> {
    return createReadStream(this.path(key, name), { start: offset, highWaterMark: ARTIFACT_CHUNK_BYTES });
  }

  async remove(key: AttemptKey, name: string): Promise<void> {
    await rm(this.path(key, name), { force: true });
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

/** A file on its way in. */
export class IncomingFile {
  readonly #file: FileHandle;
  readonly #part: string;
  readonly #path: string;
  readonly #artifact: Artifact;
  /** Bytes that are here already. */
  readonly offset: number;
  #size: number;

  constructor(file: FileHandle, part: string, path: string, artifact: Artifact, offset: number) {
    this.#file = file;
    this.#part = part;
    this.#path = path;
    this.#artifact = artifact;
    this.offset = offset;
    this.#size = offset;
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
    if ((await sha256Of(this.#part)) !== this.#artifact.sha256) {
      await rm(this.#part, { force: true });
      return false;
    }
    const folder = dirname(this.#path);
    await mkdir(folder, { recursive: true });
    await rename(this.#part, this.#path);
    await syncFolder(folder);
    return true;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Whether a file is there with these bytes. */
export async function isFile(path: string, { size, sha256 }: Artifact): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true && found.size === size && (await sha256Of(path)) === sha256;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}

/** A rename is durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
