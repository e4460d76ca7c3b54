/**
 * Group commit: changes gathered over a few milliseconds are written in one transaction, so that many acknowledgements
 * share one flush of the disk. Nobody is told of a change before its transaction is durable.
 */
import type { Database } from 'libsql';
import type { Change } from '../core/step.ts';
import { type DroppedArtifact, type StoredEvent, type Written, writerOf } from './write.ts';

/**
 * The least time from the start of one transaction to the start of the next. A flush of the disk blocks the process for
 * a millisecond or so: without a pause it would do little else, with a longer one acknowledgements would be late.
 */
export const COMMIT_INTERVAL_MS = 3;

export interface Commit {
  readonly changes: readonly Change[];
  readonly events: readonly StoredEvent[];
  readonly dropped: readonly DroppedArtifact[];
  readonly seconds: number;
}

type Waiter = { readonly resolve: () => void; readonly reject: (error: unknown) => void };

export class Journal {
  readonly #db: Database;
  readonly #write: ReturnType<typeof writerOf>;
  readonly #now: () => number;
  readonly #onCommit: (commit: Commit) => void;
  #changes: Change[] = [];
  #waiters: Waiter[] = [];
  #scheduled = false;
  #lastBegun = Number.NEGATIVE_INFINITY;
  #broken: unknown;

  constructor(db: Database, now: () => number, onCommit: (commit: Commit) => void) {
    this.#db = db;
    this.#write = writerOf(db);
    this.#now = now;
    this.#onCommit = onCommit;
  }

  /**
   * Resolves when the changes, and all before them, are on the disk. Rejects when they could not be written: memory is
   * then ahead of the store, and the process must end without another word.
   */
  commit(changes: readonly Change[]): Promise<void> {
    for (const change of changes) this.#changes.push(change);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      const wait = this.#lastBegun + COMMIT_INTERVAL_MS - performance.now();
      if (wait > 0.5) setTimeout(() => this.flush(), wait);
      else setImmediate(() => this.flush());
    });
  }

  /** Writes what is gathered, now. */
  flush(): void {
    this.#scheduled = false;
    const changes = this.#changes;
    const waiters = this.#waiters;
    this.#changes = [];
    this.#waiters = [];
    try {
      if (this.#broken !== undefined) throw this.#broken;
      if (changes.length > 0) this.#writeAll(changes);
    } catch (error) {
      this.#broken = error;
      for (const waiter of waiters) waiter.reject(error);
      return;
    }
    for (const waiter of waiters) waiter.resolve();
  }

  #writeAll(changes: readonly Change[]): void {
    const begun = performance.now();
    this.#lastBegun = begun;
    const at = this.#now();
    const written: Written = { events: [], dropped: [] };
    this.#db.exec('begin immediate');
    try {
      for (const change of changes) this.#write(change, at, written);
      this.#db.exec('commit');
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('rollback');
      throw error;
    }
    this.#onCommit({ changes, ...written, seconds: (performance.now() - begun) / 1000 });
  }
}
