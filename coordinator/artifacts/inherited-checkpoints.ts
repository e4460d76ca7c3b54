/**
 * Gives the checkpoints of parents to their children (population based training). The commit that creates a child also
 * adds a row to the store that names the parent's checkpoint as a file of the child. The child keeps this file until it
 * has a checkpoint of its own. After the commit, the file itself is added to the child. Only after that can the
 * parent's file be removed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { backoffDelay } from '../../lib/net/backoff.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { DamagedError, NotFoundError } from '../../proto/errors.ts';
import { PARENT_ATTEMPT } from '../core/population.ts';
import type { Change } from '../core/step.ts';
import type { ArtifactStore, StoredArtifact } from './artifact-store.ts';

interface Warn {
  warn(fields: object, message: string): void;
}

/** A parent's checkpoint, from which its child starts. */
export interface InheritedCheckpoint extends StoredArtifact {
  readonly sweepId: string;
  readonly trialId: string;
  readonly parent: string;
  /** The parent's attempt that produced the checkpoint. */
  readonly attempt: number;
}

/** Returns the inherited checkpoint of each child that a commit created. */
export function inheritedBy(changes: readonly Change[]): InheritedCheckpoint[] {
  return changes.flatMap((change): InheritedCheckpoint[] => {
    if (change.kind !== 'inherited') return [];
    const { sweepId, trial, origin } = change;
    const { attempt, name, size, sha256 } = origin.checkpoint;
    return [{ sweepId, trialId: trial.trialId, parent: origin.parent, attempt, name, size, sha256 }];
  });
}

/** The shortest and the longest delay before the next try to add a file, in milliseconds. */
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;

/** Adds the checkpoints of parents to their children. */
export class InheritedCheckpoints {
  readonly #files: Pick<ArtifactStore, 'share'>;
  readonly #log: Warn;
  /** The files that are being added. The key names the child and the file. */
  readonly #pending = new Map<string, { readonly parentFile: string; readonly settled: Promise<void> }>();
  readonly #closed = new AbortController();

  constructor(files: Pick<ArtifactStore, 'share'>, log: Warn) {
    this.#files = files;
    this.#log = log;
  }

  /**
   * Adds files to children. Existing files are not changed, so a coordinator that starts after a crash adds only the
   * files that are missing. If the artifact store fails, this method retries until the file is added. If the parent's
   * file is missing or damaged, it does not retry: the attempts of the child fail, and their error names the missing
   * checkpoint.
   * @returns a promise that resolves once the first try to add each file has succeeded or failed
   */
  async add(inherited: readonly InheritedCheckpoint[]): Promise<void> {
    await Promise.all(inherited.map((one) => new Promise<void>((resolve) => this.#start(one, resolve))));
  }

  /** Returns whether the file of a child's inherited checkpoint is still being added. */
  isPending(child: AttemptKey, name: string): boolean {
    return this.#pending.has(fileText(child, name));
  }

  /** Resolves when no child needs the file of a parent any more. */
  async released(parent: AttemptKey, name: string): Promise<void> {
    const file = fileText(parent, name);
    const users = [...this.#pending.values()].filter(({ parentFile }) => parentFile === file);
    await Promise.all(users.map(({ settled }) => settled));
  }

  /** Ends the retries. Later calls of `released` never resolve for files that were not added. */
  close(): void {
    this.#closed.abort();
  }

  #start(inherited: InheritedCheckpoint, onTried: () => void): void {
    const { sweepId, trialId, parent, attempt, ...artifact } = inherited;
    const from = { sweepId, trialId: parent, attempt };
    const to = { sweepId, trialId, attempt: PARENT_ATTEMPT };
    const childFile = fileText(to, artifact.name);
    const settled = this.#addFile(from, to, artifact, onTried).then(() => {
      this.#pending.delete(childFile);
    });
    this.#pending.set(childFile, { parentFile: fileText(from, artifact.name), settled });
  }

  async #addFile(from: AttemptKey, to: AttemptKey, artifact: StoredArtifact, onTried: () => void): Promise<void> {
    const { sweepId, trialId } = to;
    for (let retry = 1; ; retry++) {
      try {
        await this.#files.share(from, to, artifact);
        return onTried();
      } catch (error) {
        const message = "could not add a parent's checkpoint to its child";
        const fields = { sweepId, trialId, parent: from.trialId, name: artifact.name, reason: errorMessage(error) };
        const isFinal = isMissingOrDamaged(error);
        this.#log.warn(fields, isFinal ? message : `${message}; retrying`);
        onTried();
        if (isFinal) return;
      }
      await this.#pause(backoffDelay(retry, RETRY_MIN_MS, RETRY_MAX_MS));
    }
  }

  /** Never resolves after `close`, because a file that was not added must not count as added. */
  async #pause(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.#closed.signal, ref: false });
    } catch {
      await new Promise(() => {});
    }
  }
}

function fileText(key: AttemptKey, name: string): string {
  return `${keyText(key)}/${name}`;
}

function isMissingOrDamaged(error: unknown): boolean {
  if (error instanceof NotFoundError || error instanceof DamagedError) return true;
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
