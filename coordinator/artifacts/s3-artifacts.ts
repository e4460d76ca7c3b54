/**
 * Keeps artifacts in an S3-compatible store, as PREFIX/CLUSTER/artifacts/SWEEP/TRIAL/ATTEMPT/NAME/SHA256. The cluster
 * name separates coordinators that share a bucket. The key contains the checksum, so a late or repeated upload can
 * never replace a file that has other contents.
 *
 * A file that is uploaded through the coordinator is received as a partial file in the coordinator's folder, verified,
 * and then stored. A file that an agent uploads directly is verified in the store.
 */
import { rm } from 'node:fs/promises';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { type Checksum, checksumOfStream } from '../../lib/files/checksum.ts';
import { innerPath } from '../../lib/files/inner-path.ts';
import { ConflictError, NotFoundError, RejectedError } from '../../proto/errors.ts';
import { ARTIFACT_CHUNK_BYTES } from '../../proto/limits.ts';
import type { Artifact } from '../core/attempt-model.ts';
import type {
  ArtifactStore,
  DirectTransfers,
  DirectUpload,
  IncomingArtifact,
  StoredArtifact,
} from './artifact-store.ts';
import { checkBucket } from './check-bucket.ts';
import { ArtifactFiles } from './files.ts';
import { type OrphanSet, removeOrphanSets } from './orphans.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { s3Place } from './s3-location.ts';

/** The age at which an incomplete multipart upload is aborted. A later retry then sends the whole file again. */
export const MAX_INCOMPLETE_UPLOAD_MS = 24 * 3_600_000;
/**
 * `prune --orphans` removes an object without a record only if the object is at least this old, because the record may
 * still arrive.
 */
const MIN_ORPHAN_AGE_MS = 3_600_000;
/**
 * The validity of a presigned URL, in seconds. If the URL of an upload expires before the agent uses it, the agent
 * sends the file through the coordinator.
 */
const URL_EXPIRES_S = 3_600;
/**
 * The maximum size of a direct upload with a single request. Larger files are uploaded in parts, so that an interrupted
 * upload can resume.
 */
const MAX_SINGLE_PUT_BYTES = 64 * 2 ** 20;

/** The attempt, the name and the checksum in the key of an object. */
interface NamedObject {
  readonly key: AttemptKey;
  readonly name: string;
  readonly sha256: string;
}

/** Parses the part of a key after `PREFIX/CLUSTER/artifacts/`; undefined if the key has another form. */
export function parseObjectKey(path: string): NamedObject | undefined {
  const [, sweepId = '', trialId = '', attempt = '', name = '', sha256 = ''] =
    /^(\d+)\/([^/]+)\/(\d+)\/(.+)\/([0-9a-f]{64})$/.exec(path) ?? [];
  return sweepId === '' ? undefined : { key: { sweepId, trialId, attempt: Number(attempt) }, name, sha256 };
}

/**
 * Returns a stored name that conflicts with a new name. Two names conflict if one of them is a folder in the path of
 * the other.
 */
export function conflictingName(names: Iterable<string>, name: string): string | undefined {
  for (const other of names) if (other.startsWith(`${name}/`) || name.startsWith(`${other}/`)) return other;
  return undefined;
}

/**
 * The minimum size of a file for a direct transfer. Smaller files pass through the coordinator, because a connection to
 * the store takes longer than their transfer.
 */
const MIN_DIRECT_BYTES = 2 ** 20;

export class S3Artifacts implements ArtifactStore {
  readonly #bucket: S3Bucket;
  readonly #root: string;
  /** The partial files of uploads through the coordinator. */
  readonly #parts: ArtifactFiles;
  /**
   * For each running attempt, the files that were verified since the coordinator started. Maps the name of each file to
   * its checksum.
   */
  readonly #uploaded = new Map<string, Map<string, string>>();
  /**
   * The names of the stored objects of running attempts, by attempt. The objects of an attempt are listed only once.
   */
  readonly #names = new Map<string, Promise<Set<string>>>();
  readonly #uploading = new Set<string>();
  #deferredRemovals: (() => Promise<void>)[] | undefined;
  /**
   * Undefined if direct transfers are turned off, if the server does not verify checksums, or if no check has succeeded
   * yet.
   */
  direct: DirectTransfers | undefined;

  /**
   * @param dir the coordinator's folder
   * @param cluster the cluster name of the store
   */
  constructor(bucket: S3Bucket, dir: string, cluster: string) {
    this.#bucket = bucket;
    this.#root = `${bucket.location.prefix}${cluster}/artifacts/`;
    this.#parts = new ArtifactFiles(dir);
  }

  /** The location of the artifacts, for messages. */
  get place(): string {
    return `${s3Place(this.#bucket.location)}${this.#root.slice(this.#bucket.location.prefix.length)}`;
  }

  /**
   * Checks that objects can be written, read, listed and deleted. Turns direct transfers on if the location permits
   * them and the server verifies checksums.
   * @throws {S3UnavailableError | NoSpaceError} if the store cannot be used
   */
  async check(): Promise<{ verifiesChecksums: boolean }> {
    const { verifiesChecksums } = await checkBucket(this.#bucket, `${this.#root}.check`);
    this.direct = this.#bucket.location.direct && verifiesChecksums ? this.#directTransfers() : undefined;
    return { verifiesChecksums };
  }

  has(key: AttemptKey, name: string): boolean {
    return this.#uploaded.get(keyText(key))?.has(name) === true;
  }

  isMissing(): boolean {
    return false;
  }

  /**
   * Verifies an object by the SHA-256 that the server reports. If the server reports no SHA-256 of the whole object,
   * this method reads the object and computes its SHA-256. An object of a running attempt is verified only once.
   */
  async holds(key: AttemptKey, artifact: Artifact): Promise<boolean> {
    if (this.#uploaded.get(keyText(key))?.get(artifact.name) === artifact.sha256) return true;
    if (!(await this.#isIntact(this.#objectOf(key, artifact), artifact))) return false;
    this.#remember(key, artifact);
    return true;
  }

  async #isIntact(object: string, { size, sha256 }: Checksum): Promise<boolean> {
    const found = await this.#bucket.head(object);
    if (found?.size !== size) return false;
    if (found.sha256 !== undefined) return found.sha256 === sha256;
    return (await checksumOfStream(this.#bucket.read(object, 0, size))).sha256 === sha256;
  }

  async begin(key: AttemptKey, artifact: Artifact): Promise<IncomingArtifact> {
    await this.#requireFreeName(key, artifact.name);
    const object = this.#objectOf(key, artifact);
    if (this.#uploading.has(object)) throw new RejectedError(`artifact ${artifact.name} is already being uploaded`);
    return this.#parts.receive(key, artifact, async (part) => {
      await this.#requireFreeName(key, artifact.name);
      await this.#bucket.putFile(object, part, artifact);
      await rm(part, { force: true });
      this.#remember(key, artifact);
    });
  }

  /** Uploads a verified local file to the store. */
  putFile(key: AttemptKey, artifact: StoredArtifact, path: string): Promise<void> {
    return this.#bucket.putFile(this.#objectOf(key, artifact), path, artifact);
  }

  async *read(key: AttemptKey, artifact: StoredArtifact, offset: number): AsyncIterable<Buffer> {
    try {
      for await (const chunk of this.#bucket.read(this.#objectOf(key, artifact), offset, artifact.size)) {
        for (let at = 0; at < chunk.byteLength; at += ARTIFACT_CHUNK_BYTES)
          yield chunk.subarray(at, at + ARTIFACT_CHUNK_BYTES);
      }
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      throw new NotFoundError(
        `the file of artifact ${artifact.name} of trial ${key.trialId} is missing from ${this.#bucket.where}`,
      );
    }
  }

  async share(from: AttemptKey, to: AttemptKey, artifact: StoredArtifact): Promise<void> {
    const copy: Artifact = { ...artifact, kind: 'file', epoch: 0 };
    if (await this.holds(to, copy)) return;
    const incoming = await this.begin(to, copy);
    try {
      for await (const chunk of this.read(from, artifact, incoming.offset)) await incoming.append(chunk);
      if (!(await incoming.finish())) throw new NotFoundError(`the file of artifact ${artifact.name} is damaged`);
    } finally {
      await incoming.close();
    }
  }

  async remove(key: AttemptKey, name: string): Promise<void> {
    this.#uploaded.get(keyText(key))?.delete(name);
    await this.#orDefer(() => this.#removeBelow(`${this.#attemptRoot(key)}${name}/`));
  }

  async removeSweep(sweepId: string): Promise<boolean> {
    await this.#parts.removeSweep(sweepId);
    return this.#orDefer(() => this.#removeBelow(`${this.#root}${innerPath('', sweepId)}/`));
  }

  keepAll(): () => Promise<void> {
    const deferred: (() => Promise<void>)[] = [];
    this.#deferredRemovals = deferred;
    const releaseParts = this.#parts.keepAll();
    return async () => {
      this.#deferredRemovals = undefined;
      await releaseParts();
      for (const remove of deferred) await remove();
    };
  }

  async removeUnnamed(key: AttemptKey, isNamed: (name: string, sha256: string) => Promise<boolean>): Promise<void> {
    const attempt = keyText(key);
    const hadUploads = this.#uploaded.delete(attempt);
    const wasListed = this.#names.delete(attempt);
    await this.#parts.removeUnnamed(key, async () => false);
    // If the attempt has uploaded nothing since the coordinator started, its objects are not listed. Its objects
    // without a record then remain as orphans, which `prune --orphans` removes.
    if (!hadUploads && !wasListed) return;
    const root = this.#attemptRoot(key);
    await this.#orDefer(async () => {
      await this.#removeWhere(
        root,
        async ({ name, sha256, object }) => !(await isNamed(name, sha256)) && !this.#uploading.has(object),
      );
      for (const upload of await this.#bucket.uploads(root)) {
        if (!this.#uploading.has(upload.key)) await this.#bucket.abort(upload.key, upload.uploadId);
      }
    });
  }

  /**
   * Moves only partial files. Objects without a record stay where they are, because finding them requires a list of all
   * objects. Only `prune --orphans` reads this list.
   */
  moveOrphans(isNamed: (key: AttemptKey, name: string) => Promise<boolean>, at: number): Promise<number> {
    return this.#parts.moveOrphans(isNamed, at);
  }

  async removeOrphans(
    isNamed: (key: AttemptKey, name: string, sha256: string) => Promise<boolean>,
    before: number,
    dryRun: boolean,
    now: number,
  ): Promise<OrphanSet[]> {
    const sets = await removeOrphanSets(this.#parts.dir, before, dryRun);
    const limit = Math.min(before, now - MIN_ORPHAN_AGE_MS);
    const found = { files: 0, bytes: 0 };
    await this.#removeWhere(this.#root, async ({ key, name, sha256, at, size, object }) => {
      if (at > limit || (await isNamed(key, name, sha256)) || this.#uploading.has(object)) return false;
      found.files += 1;
      found.bytes += size;
      return !dryRun;
    });
    if (!dryRun) await this.abortIncomplete(limit);
    return found.files === 0 ? sets : [...sets, { name: this.place, ...found }];
  }

  /** Aborts incomplete multipart uploads that began before a time in Unix milliseconds. @returns their number */
  async abortIncomplete(before: number): Promise<number> {
    const old = (await this.#bucket.uploads(this.#root)).filter(
      ({ key, at }) => at < before && !this.#uploading.has(key),
    );
    for (const { key, uploadId } of old) await this.#bucket.abort(key, uploadId);
    return old.length;
  }

  close(): void {
    this.#bucket.close();
  }

  #directTransfers(): DirectTransfers {
    return {
      accepts: ({ size }) => size >= MIN_DIRECT_BYTES,
      begin: async (key, artifact) => {
        await this.#requireFreeName(key, artifact.name);
        const object = this.#objectOf(key, artifact);
        if (this.#uploading.has(object)) throw new RejectedError(`artifact ${artifact.name} is already being uploaded`);
        this.#uploading.add(object);
        try {
          return await this.#beginDirect(key, artifact, object);
        } catch (error) {
          this.#uploading.delete(object);
          throw error;
        }
      },
      urlOf: async (key, artifact) => (await this.#bucket.presignGet(this.#objectOf(key, artifact), URL_EXPIRES_S)).url,
    };
  }

  async #beginDirect(key: AttemptKey, artifact: Artifact, object: string): Promise<DirectUpload> {
    const { size } = artifact;
    const inParts = size > MAX_SINGLE_PUT_BYTES;
    const upload = inParts ? await this.#bucket.beginParts(object, size) : undefined;
    const requests =
      upload === undefined
        ? [{ start: 0, size, ...(await this.#bucket.presignPut(object, artifact, URL_EXPIRES_S)) }]
        : await Promise.all(
            upload.missing.map(async (piece) => {
              const request = await this.#bucket.presignPart(object, upload.uploadId, piece, URL_EXPIRES_S);
              return { start: piece.start, size: piece.size, ...request };
            }),
          );
    return {
      requests,
      finish: async () => {
        await this.#requireFreeName(key, artifact.name);
        if (upload !== undefined) await this.#bucket.finishParts(object, upload.uploadId, size);
        if (await this.#isIntact(object, artifact)) {
          this.#remember(key, artifact);
          return true;
        }
        await this.#bucket.remove([object]);
        return false;
      },
      close: () => this.#uploading.delete(object),
    };
  }

  #remember(key: AttemptKey, { name, sha256 }: StoredArtifact): void {
    const attempt = keyText(key);
    const uploaded = this.#uploaded.get(attempt) ?? new Map<string, string>();
    uploaded.set(name, sha256);
    this.#uploaded.set(attempt, uploaded);
  }

  /** @throws {ConflictError} if the name uses a stored file as a folder, or a stored folder as a file */
  async #requireFreeName(key: AttemptKey, name: string): Promise<void> {
    const attempt = keyText(key);
    let listed = this.#names.get(attempt);
    if (listed === undefined) {
      listed = this.#listNames(key);
      this.#names.set(attempt, listed);
      listed.catch(() => this.#names.delete(attempt));
    }
    const names = new Set([...(await listed), ...(this.#uploaded.get(attempt)?.keys() ?? [])]);
    const other = conflictingName(names, name);
    if (other === undefined) return;
    const text = other.startsWith(name) ? `the artifacts in the folder ${name}` : `the artifact ${other}`;
    throw new ConflictError(`artifact ${name} conflicts with ${text}: a name cannot be both a file and a folder`);
  }

  async #listNames(key: AttemptKey): Promise<Set<string>> {
    const names = new Set<string>();
    for await (const { key: object } of this.#bucket.list(this.#attemptRoot(key))) {
      const parsed = parseObjectKey(object.slice(this.#root.length));
      if (parsed !== undefined) names.add(parsed.name);
    }
    return names;
  }

  #removeBelow(prefix: string): Promise<void> {
    return this.#removeWhere(prefix, () => true).then(async () => {
      for (const { key, uploadId } of await this.#bucket.uploads(prefix)) await this.#bucket.abort(key, uploadId);
    });
  }

  async #removeWhere(
    prefix: string,
    which: (found: NamedObject & { at: number; size: number; object: string }) => boolean | Promise<boolean>,
  ): Promise<void> {
    let batch: string[] = [];
    for await (const { key: object, at, size } of this.#bucket.list(prefix)) {
      const parsed = parseObjectKey(object.slice(this.#root.length));
      if (parsed !== undefined && (await which({ ...parsed, at, size, object }))) batch.push(object);
      if (batch.length < 1_000) continue;
      await this.#bucket.remove(batch);
      batch = [];
    }
    await this.#bucket.remove(batch);
  }

  /**
   * Runs a removal, or defers it while `keepAll` is in effect.
   * @returns whether the removal is complete
   */
  async #orDefer(remove: () => Promise<void>): Promise<boolean> {
    if (this.#deferredRemovals !== undefined) {
      this.#deferredRemovals.push(remove);
      return false;
    }
    await remove();
    return true;
  }

  #objectOf(key: AttemptKey, { name, sha256 }: Pick<StoredArtifact, 'name' | 'sha256'>): string {
    return `${this.#attemptRoot(key)}${innerPath('', name)}/${sha256}`;
  }

  #attemptRoot({ sweepId, trialId, attempt }: AttemptKey): string {
    return `${this.#root}${innerPath('', sweepId, trialId, `${attempt}`)}/`;
  }
}
