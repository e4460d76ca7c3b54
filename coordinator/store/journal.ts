/**
 * Commits changes in groups. The changes of a few milliseconds are written in one transaction, so that many
 * acknowledgements share one disk flush. No change is announced before its transaction is durable.
 */
import type { Change } from '../core/step.ts';
import type { AttributedChange, Store } from './store.ts';
import type { DroppedArtifact, StoredEvent } from './write-events.ts';

/**
 * The minimum time between the starts of two transactions. A disk flush blocks the process for about a millisecond.
 * With a shorter interval, the process would spend most of its time on disk flushes. A longer interval would delay
 * acknowledgements.
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

interface PendingCommit {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Journal {
  readonly #store: Pick<Store, 'write'>;
  readonly #now: () => number;
  readonly #listeners = new Set<(commit: Commit) => void>();
  #changes: AttributedChange[] = [];
  #pending: PendingCommit[] = [];
  #scheduled = false;
  /** The write in progress. */
  #writing: Promise<void> | undefined;
  #lastBegun = Number.NEGATIVE_INFINITY;
  /** The error of the first failed transaction. After the error, every later commit is rejected with this error. */
  #failure: unknown;

  constructor(store: Pick<Store, 'write'>, now: () => number) {
    this.#store = store;
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
   * then ahead of the store, and the process must end without sending another answer.
   * `by` is the user who made the changes; empty if no user did.
   */
  commit(changes: readonly Change[], by = ''): Promise<void> {
    for (const change of changes) this.#changes.push({ change, by });
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      const waitMs = this.#lastBegun + COMMIT_INTERVAL_MS - performance.now();
      if (waitMs > 0.5) setTimeout(() => void this.flush(), waitMs);
      else setImmediate(() => void this.flush());
    });
  }

  /**
   * Writes the gathered changes immediately, or after the write in progress. Resolves when no gathered change is left
   * to write. An error is reported by `commit`.
   */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    this.#scheduled = false;
    if (this.#changes.length === 0 && this.#pending.length === 0) return;
    this.#writing = this.#writeGathered().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  /**
   * Runs another write to the store between two transactions of the journal. Changes that are gathered in the meantime
   * are written afterward. Rejects if an earlier transaction failed, or if the operation fails.
   */
  async between<T>(operation: () => Promise<T>): Promise<T> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
    const result = operation();
    this.#writing = result
      .then(
        () => {},
        () => {},
      )
      .finally(() => {
        this.#writing = undefined;
      });
    return result;
  }

  async #writeGathered(): Promise<void> {
    const changes = this.#changes;
    const pending = this.#pending;
    this.#changes = [];
    this.#pending = [];
    try {
      if (this.#failure !== undefined) throw this.#failure;
      if (changes.length > 0) await this.#writeAll(changes);
    } catch (error) {
      this.#failure = error;
      for (const { reject } of pending) reject(error);
      return;
    }
    for (const { resolve } of pending) resolve();
  }

  async #writeAll(attributed: readonly AttributedChange[]): Promise<void> {
    const begun = performance.now();
    this.#lastBegun = begun;
    const written = await this.#store.write(attributed, this.#now());
    const changes = attributed.map(({ change }) => change);
    const commit = { changes, ...written, seconds: (performance.now() - begun) / 1000 };
    for (const listener of this.#listeners) listener(commit);
  }
}
