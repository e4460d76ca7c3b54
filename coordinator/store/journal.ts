/**
 * Commits changes in groups. The changes of a few milliseconds are written in one transaction, so that many
 * acknowledgements share one disk flush. No change is announced before its transaction is durable.
 */
import type { Database } from 'libsql';
import type { Change } from '../core/step.ts';
import { commitCounted } from './high-water.ts';
import { changeWriter } from './write.ts';
import type { DroppedArtifact, StoredEvent, TransactionResult } from './write-events.ts';

/**
 * A disk flush blocks the process for about a millisecond. A shorter interval would spend most of the time on disk
 * flushes, and a longer interval would delay acknowledgements.
 */
const COMMIT_INTERVAL_MS = 3;

/** A durable transaction. */
export interface Commit {
  readonly changes: readonly Change[];
  readonly events: readonly StoredEvent[];
  readonly dropped: readonly DroppedArtifact[];
  /** The duration of the transaction, including its disk flush. */
  readonly seconds: number;
}

/** A change, and the user who made the change; the user is empty for the coordinator's own changes. */
interface AttributedChange {
  readonly change: Change;
  readonly by: string;
}

interface PendingCommit {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Journal {
  readonly #db: Database;
  readonly #write: ReturnType<typeof changeWriter>;
  readonly #now: () => number;
  readonly #listeners = new Set<(commit: Commit) => void>();
  #changes: AttributedChange[] = [];
  #pending: PendingCommit[] = [];
  #scheduled = false;
  #lastBegun = Number.NEGATIVE_INFINITY;
  /** The error of the first failed transaction. After the error, every later commit is rejected with this error. */
  #failure: unknown;

  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#write = changeWriter(db);
    this.#now = now;
  }

  /**
   * Calls the listener after every durable commit.
   * @returns a function that removes the listener
   */
  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves when these changes and all earlier changes are durable. Rejects if writing the changes failed. Memory is
   * then ahead of the store, and the process must end without another answer.
   * @param by the name of the user who made the changes. Default: none
   */
  commit(changes: readonly Change[], by = ''): Promise<void> {
    for (const change of changes) this.#changes.push({ change, by });
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      const waitMs = this.#lastBegun + COMMIT_INTERVAL_MS - performance.now();
      if (waitMs > 0.5) setTimeout(() => this.flush(), waitMs);
      else setImmediate(() => this.flush());
    });
  }

  /** Writes the gathered changes immediately. */
  flush(): void {
    this.#scheduled = false;
    const changes = this.#changes;
    const pending = this.#pending;
    this.#changes = [];
    this.#pending = [];
    try {
      if (this.#failure !== undefined) throw this.#failure;
      if (changes.length > 0) this.#writeAll(changes);
    } catch (error) {
      this.#failure = error;
      for (const { reject } of pending) reject(error);
      return;
    }
    for (const { resolve } of pending) resolve();
  }

  #writeAll(attributed: readonly AttributedChange[]): void {
    const begun = performance.now();
    this.#lastBegun = begun;
    const at = this.#now();
    const written: TransactionResult = { events: [], dropped: [] };
    commitCounted(this.#db, () => {
      for (const { change, by } of attributed) this.#write(change, at, written, by);
    });
    const changes = attributed.map(({ change }) => change);
    const commit = { changes, ...written, seconds: (performance.now() - begun) / 1000 };
    for (const listener of this.#listeners) listener(commit);
  }
}
