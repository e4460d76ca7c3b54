/**
 * Stores artifact files as artifacts/SWEEP/TRIAL/ATTEMPT/NAME in the coordinator's folder. When the coordinator starts,
 * files without a row in the store are moved to `orphans/`.
 */

import { copyFileSync, createReadStream, type Dirent, existsSync, linkSync, mkdirSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { innerPath } from '../../lib/files/inner-path.ts';
import { moveDurablySync, syncPathSync } from '../../lib/files/write-durably.ts';
import { ConflictError, NotFoundError, RejectedError } from '../../proto/errors.ts';
import { ARTIFACT_CHUNK_BYTES } from '../../proto/limits.ts';
import type { Artifact } from '../core/attempt-model.ts';
import type { ArtifactStore, StoredArtifact } from './artifact-store.ts';
import { IncomingFile, isStored, moveIntoPlace } from './incoming-file.ts';
import { moveToOrphans, type OrphanSet, removeOrphanSets } from './orphans.ts';

/** The name of the folder of artifacts, inside the coordinator's folder. */
export const ARTIFACTS_FOLDER = 'artifacts';
/**
 * The name of the folder of partial files. No artifact can have this name, because the names of artifacts never begin
 * with a dot.
 */
const PARTS = '.parts';

/** Links a file to a second path. On a file system without hard links, copies the file. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!existsSync(from)) throw error;
    const part = `${to}.part`;
    copyFileSync(from, part);
    moveDurablySync(part, to);
  }
}

export class ArtifactFiles implements ArtifactStore {
  readonly direct = undefined;
  /** The coordinator's folder. */
  readonly dir: string;
  readonly #root: string;
  /** The partial files that are being written. */
  readonly #uploading = new Set<string>();
  /** The paths to remove when `keepAll` ends; undefined if `keepAll` is not active. */
  #deferredRemovals: string[] | undefined;

  /** @param dir the coordinator's folder */
  constructor(dir: string) {
    this.dir = resolve(dir);
    this.#root = join(this.dir, ARTIFACTS_FOLDER);
  }

  /** @throws {DamagedError} if the key or the name is not valid as a path */
  path(key: AttemptKey, name: string): string {
    return innerPath(this.#folder(key), name);
  }

  has(key: AttemptKey, name: string): boolean {
    return existsSync(this.path(key, name));
  }

  isMissing(key: AttemptKey, name: string): boolean {
    return !this.has(key, name);
  }

  /**
   * Returns whether the artifact file is complete and intact. If so, first syncs the folders above the file, because an
   * earlier coordinator may have been killed after it moved the file and before it synced the folders.
   */
  async holds(key: AttemptKey, artifact: Artifact): Promise<boolean> {
    return isStored({ path: this.path(key, artifact.name), top: this.dir }, artifact);
  }

  async begin(key: AttemptKey, artifact: Artifact): Promise<IncomingFile> {
    await this.#checkConflicts(key, artifact.name);
    const place = { path: this.path(key, artifact.name), top: this.dir };
    return this.receive(key, artifact, (part) => moveIntoPlace(part, place));
  }

  /**
   * Starts or resumes an upload to a partial file. The caller must close the returned file.
   * @param store stores the partial file once it is complete and verified
   * @throws {RejectedError} if the attempt is already uploading the same contents
   */
  async receive(key: AttemptKey, artifact: Artifact, store: (part: string) => Promise<void>): Promise<IncomingFile> {
    const part = join(this.#folder(key), PARTS, artifact.sha256);
    if (this.#uploading.has(part)) throw new RejectedError(`artifact ${artifact.name} is already being uploaded`);
    this.#uploading.add(part);
    return IncomingFile.begin({ part, store }, artifact, () => this.#uploading.delete(part));
  }

  async *read(key: AttemptKey, { name }: StoredArtifact, offset: number): AsyncIterable<Buffer> {
    if (!this.has(key, name)) {
      throw new NotFoundError(`the file of artifact ${name} of trial ${key.trialId} is missing`);
    }
    yield* createReadStream(this.path(key, name), { start: offset, highWaterMark: ARTIFACT_CHUNK_BYTES });
  }

  async remove(key: AttemptKey, name: string): Promise<void> {
    await this.#removeFile(this.path(key, name));
  }

  async share(from: AttemptKey, to: AttemptKey, { name }: StoredArtifact): Promise<void> {
    const target = this.path(to, name);
    if (existsSync(target)) return;
    const folder = dirname(target);
    const created = mkdirSync(folder, { recursive: true });
    linkOrCopy(this.path(from, name), target);
    syncPathSync(folder);
    // The name of a new folder is durable once the folder above it is synced.
    for (let above = folder; created !== undefined && above.length >= created.length; above = dirname(above)) {
      syncPathSync(dirname(above));
    }
  }

  async #removeFile(path: string): Promise<void> {
    if (this.#deferredRemovals === undefined) await rm(path, { force: true });
    else this.#deferredRemovals.push(path);
  }

  async removeSweep(sweepId: string): Promise<boolean> {
    const path = innerPath(this.#root, sweepId);
    if (this.#deferredRemovals !== undefined) {
      this.#deferredRemovals.push(path);
      return false;
    }
    await rm(path, { recursive: true, force: true });
    return true;
  }

  keepAll(): () => Promise<void> {
    const deferred: string[] = [];
    this.#deferredRemovals = deferred;
    return async () => {
      this.#deferredRemovals = undefined;
      await Promise.all(deferred.map((path) => rm(path, { recursive: true, force: true })));
    };
  }

  async moveOrphans(isNamed: (key: AttemptKey, name: string) => Promise<boolean>, at: number): Promise<number> {
    if (!existsSync(this.#root)) return 0;
    const orphans: string[] = [];
    for (const entry of await this.#filesOfSweeps()) {
      const path = relative(this.#root, join(entry.parentPath, entry.name));
      const [sweepId = '', trialId = '', attempt = '', ...name] = path.split(sep);
      if (!(await isNamed({ sweepId, trialId, attempt: Number(attempt) }, name.join('/')))) {
        orphans.push(join(ARTIFACTS_FOLDER, path));
      }
    }
    await moveToOrphans(this.dir, orphans, at);
    return orphans.length;
  }

  removeOrphans(_isNamed: unknown, before: number, dryRun: boolean): Promise<OrphanSet[]> {
    return removeOrphanSets(this.dir, before, dryRun);
  }

  /**
   * Returns the files in the folders of sweeps. Other files are left out, because the folder of artifacts can be a link
   * to a wrong folder, whose files must not be moved.
   */
  async #filesOfSweeps(): Promise<Dirent[]> {
    const files: Dirent[] = [];
    for (const sweep of await readdir(this.#root, { withFileTypes: true })) {
      if (!sweep.isDirectory() || !/^\d+$/.test(sweep.name)) continue;
      for (const entry of await readdir(join(this.#root, sweep.name), { recursive: true, withFileTypes: true })) {
        if (!entry.isDirectory()) files.push(entry);
      }
    }
    return files;
  }

  async removeUnnamed(key: AttemptKey, isNamed: (name: string) => Promise<boolean>): Promise<void> {
    const folder = this.#folder(key);
    // Most attempts have no files. This check costs much less than a failed `readdir`.
    if (!existsSync(folder)) return;
    const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of found) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isDirectory() || this.#uploading.has(path)) continue;
      const name = relative(folder, path).split(sep).join('/');
      if (!(await isNamed(name))) await this.#removeFile(path);
    }
  }

  async #checkConflicts(key: AttemptKey, name: string): Promise<void> {
    const segments = name.split('/');
    for (let length = 1; length <= segments.length; length++) {
      const prefix = segments.slice(0, length).join('/');
      const found = await stat(this.path(key, prefix)).catch(() => undefined);
      if (found === undefined) return;
      const isWhole = length === segments.length;
      if (isWhole ? !found.isDirectory() : found.isDirectory()) continue;
      const other = isWhole ? `the artifacts in the folder ${name}` : `the artifact ${prefix}`;
      throw new ConflictError(`artifact ${name} conflicts with ${other}: a name cannot be both a file and a folder`);
    }
  }

  #folder({ sweepId, trialId, attempt }: AttemptKey): string {
    return innerPath(this.#root, sweepId, trialId, `${attempt}`);
  }
}
