/**
 * The interface of artifact stores. `ArtifactFiles` keeps artifacts in the coordinator's folder. `S3Artifacts` keeps
 * them in an S3-compatible store. The same contract test covers both.
 */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { Artifact } from '../core/attempt-model.ts';
import type { OrphanSet } from './orphans.ts';

/** A file that is being uploaded through the coordinator. */
export interface IncomingArtifact {
  /** The number of bytes that an earlier, interrupted upload has written. */
  readonly offset: number;
  /** Whether all bytes of the file have arrived. */
  readonly whole: boolean;
  /** @returns false if the file would exceed its announced size */
  append(bytes: Uint8Array): Promise<boolean>;
  /**
   * Stores the complete file durably.
   * @returns false if the checksum is wrong, in which case the received bytes are deleted
   * @throws {ConflictError} if the name uses a stored file as a folder, or a stored folder as a file
   */
  finish(): Promise<boolean>;
  close(): Promise<void>;
}

/** The name, size and checksum of a stored file. */
export type StoredArtifact = Pick<Artifact, 'name' | 'size' | 'sha256'>;

/** One HTTP request that an agent makes without credentials, and the range of the file that the request sends. */
interface DirectRequest {
  readonly start: number;
  readonly size: number;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** An upload from an agent straight to a remote store. */
export interface DirectUpload {
  /** The requests that send the missing bytes. */
  readonly requests: readonly DirectRequest[];
  /**
   * Verifies the size and the SHA-256 of the object. A wrong object is removed.
   * @returns false if the object is missing, truncated or wrong
   */
  finish(): Promise<boolean>;
  close(): void;
}

/** Transfers that bypass the coordinator, between a remote store and agents or clients. */
export interface DirectTransfers {
  /** Returns whether a file is large enough for a direct transfer. */
  accepts(artifact: Pick<StoredArtifact, 'size'>): boolean;
  /** Starts or resumes an upload. The caller must close the upload. @throws the same errors as ArtifactStore.begin */
  begin(key: AttemptKey, artifact: Artifact): Promise<DirectUpload>;
  /** Returns a presigned URL from which the file can be read for an hour. */
  urlOf(key: AttemptKey, artifact: StoredArtifact): Promise<string>;
}

export interface ArtifactStore {
  /** Undefined while all transfers pass through the coordinator. */
  readonly direct: DirectTransfers | undefined;
  /**
   * Returns whether the file of an artifact record was uploaded. The answer is synchronous, so that the records of an
   * attempt are processed in order. No request to a remote store is needed: before the agent sends the record, it has
   * uploaded the file, or has learned from `holds` that the file is already stored.
   */
  has(key: AttemptKey, name: string): boolean;
  /**
   * Returns whether the file of an artifact record is known to be missing. For a remote store, always returns false,
   * because no request is made.
   */
  isMissing(key: AttemptKey, name: string): boolean;
  /** Returns whether the artifact's file is complete, intact and durable. */
  holds(key: AttemptKey, artifact: Artifact): Promise<boolean>;
  /**
   * Starts or resumes an upload. The caller must close the returned file.
   * @throws {RejectedError} if the attempt is already uploading the same contents
   * @throws {ConflictError} if the name uses a stored file as a folder, or a stored folder as a file
   */
  begin(key: AttemptKey, artifact: Artifact): Promise<IncomingArtifact>;
  /**
   * Reads a file in chunks of at most ARTIFACT_CHUNK_BYTES, starting at `offset`.
   * @throws {NotFoundError} before the first chunk, if the file is missing
   */
  read(key: AttemptKey, artifact: StoredArtifact, offset: number): AsyncIterable<Buffer>;
  /**
   * Durably adds a stored file of attempt `from` to attempt `to`. The contents are then kept until the file is removed
   * from both attempts. Nothing changes if `to` already has the file. The caller must wait for the result before it
   * removes the file from `from`.
   * @throws {Error} if the file does not exist
   */
  share(from: AttemptKey, to: AttemptKey, artifact: StoredArtifact): Promise<void>;
  /** Removes a file whose record was removed by a durable commit. */
  remove(key: AttemptKey, name: string): Promise<void>;
  /**
   * Removes all artifacts of a sweep. A durable commit must already have removed the sweep's rows. Removing the
   * artifacts of a sweep twice is harmless.
   * @returns whether the removal is complete; false if it was deferred
   */
  removeSweep(sweepId: string): Promise<boolean>;
  /**
   * Defers every removal of artifacts until the returned function is called. Until then, `keepAll` must not be called
   * again.
   */
  keepAll(): () => Promise<void>;
  /**
   * Removes the files of an ended attempt that no record names, such as partial uploads. No later record can name these
   * files, because an ended attempt accepts no records. Files that are being uploaded are kept.
   */
  removeUnnamed(key: AttemptKey, isNamed: (name: string, sha256?: string) => Promise<boolean>): Promise<void>;
  /**
   * Moves the files that no record names to `orphans/`. Used only at startup, when no upload is in progress.
   * @param at the time of the move in Unix milliseconds
   * @returns the number of moved files
   */
  moveOrphans(isNamed: (key: AttemptKey, name: string) => Promise<boolean>, at: number): Promise<number>;
  /**
   * Removes the sets of orphans that were moved at or before `before`. In a remote store, also removes the objects that
   * no record names, if they were stored at or before `before` and are at least an hour old.
   * @param before a time in Unix milliseconds
   * @param now the current time in Unix milliseconds
   * @param dryRun whether orphans are only counted, not removed
   * @returns the removed sets. The removed objects of a remote store form one set, whose name is the location of the
   * objects
   */
  removeOrphans(
    isNamed: (key: AttemptKey, name: string, sha256: string) => Promise<boolean>,
    before: number,
    dryRun: boolean,
    now: number,
  ): Promise<OrphanSet[]>;
}
