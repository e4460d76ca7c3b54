/**
 * Group commit: changes gathered during one turn of the event loop are written in one transaction, so that many
 * acknowledgements share one flush of the disk. Nobody is told of a change before its transaction is durable.
 */
import type { Database } from 'libsql';
import type { Change } from '../core/step.ts';
import { type StoredEvent, writerOf } from './write.ts';

export interface Commit {
  readonly changes: readonly Change[];
  readonly events: readonly StoredEvent[];
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
      setImmediate(() => this.flush());
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
    const at = this.#now();
    const events: StoredEvent[] = [];
    this.#db.exec('begin immediate');
    try {
      for (const change of changes) this.#write(change, at, events);
      this.#db.exec('commit');
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('rollback');
      throw error;
    }
    this.#onCommit({ changes, events, seconds: (performance.now() - begun) / 1000 });
  }
}
