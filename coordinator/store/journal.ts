/**
 * Commits changes in groups. The changes of a few milliseconds are written in one transaction, so that many
 * acknowledgements share one disk flush. No change is announced before its transaction is durable.
 */
import { UnreachableError } from '../../proto/errors.ts';
import type { Change } from '../core/step.ts';
import type { AttributedChange, Store } from './store.ts';
import type { DroppedArtifact, StoredEvent } from './write-events.ts';

/**
 * The minimum time between the starts of two transactions. A disk flush blocks the process for about a millisecond.
 * With a shorter interval, the process would spend most of its time on disk flushes. A longer interval would delay
 * acknowledgements.
 */
const COMMIT_INTERVAL_MS = 3;
/**
 * If many changes arrive, a transaction begins no earlier than this time after its first change arrived. Each
 * transaction costs the coordinator as much processor time as writing the rows of about two trials.
 */
const GATHER_MS = 4;
/**
 * Changes wait for GATHER_MS only if at least this many changes are expected within that time. A trial causes about six
 * changes.
 */
const EXPECTED_CHANGES = 8;
/** The weight of the last transaction in the moving average of the rate of changes. */
const RATE_WEIGHT = 0.2;
/**
 * How long changes that can wait do wait, as a multiple of the duration of the last transaction. The wait is counted
 * from the start of that transaction, and never exceeds MAX_WAIT_MS. If the wait is shorter than MAX_WAIT_MS, the
 * transactions of such changes take at most about a tenth of the time. If more agents report, each transaction contains
 * more changes.
 */
const WAIT_PER_DURATION = 10;
/** The maximum time that changes wait for a transaction. */
const MAX_WAIT_MS = 250;

/** A durable transaction. */
export interface Commit {
  readonly changes: readonly Change[];
  readonly events: readonly StoredEvent[];
  readonly dropped: readonly DroppedArtifact[];
  /** The duration of the transaction, including its disk flush. */
  readonly seconds: number;
}

interface PendingCommit {
  /** The number of gathered changes that must be durable before the commit resolves. */
  readonly changes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Journal {
  readonly #store: Pick<Store, 'write'>;
  readonly #now: () => number;
  readonly #listeners = new Set<(commit: Commit) => void>();
  #changes: AttributedChange[] = [];
  #pending: PendingCommit[] = [];
  /** The next flush, and the time (`performance.now()`) for which it is scheduled. */
  #next: { readonly at: number; readonly timer: NodeJS.Timeout | undefined } | undefined;
  /**
   * The time until which the gathered changes can wait. Undefined if one of their commits cannot wait, or if no changes
   * are gathered.
   */
  #waitsUntil: number | undefined;
  /** The write in progress. */
  #writing: Promise<void> | undefined;
  #lastBegun = Number.NEGATIVE_INFINITY;
  #lastMs = 0;
  #isClosed = false;
  /** The moving average of the number of changes per millisecond. */
  #rate = 0;
  /** The error of the first failed transaction. Every later commit is rejected with this error. */
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
   * @param canWait whether the promise can wait for more changes, up to MAX_WAIT_MS. Default: false
   */
  commit(changes: readonly Change[], by = '', canWait = false): Promise<void> {
    const isFirst = this.#changes.length === 0;
    for (const change of changes) this.#changes.push({ change, by });
    const at = this.#dueAt();
    const waitsUntil = this.#lastBegun + Math.min(MAX_WAIT_MS, WAIT_PER_DURATION * this.#lastMs);
    const waits = canWait && waitsUntil > at;
    // If a commit cannot wait, the earlier changes must not wait either, even if the commit has no changes.
    if (!canWait || (changes.length > 0 && !waits)) this.#waitsUntil = undefined;
    else if (changes.length > 0 && isFirst) this.#waitsUntil = waitsUntil;
    return new Promise((resolve, reject) => {
      this.#pending.push({ changes: this.#changes.length, resolve, reject });
      const onlyWaiting = this.#changes.length > 0 && this.#waitsUntil !== undefined;
      this.#schedule(onlyWaiting ? (this.#waitsUntil ?? at) : at);
    });
  }

  /** Returns the time (`performance.now()`) at which changes that cannot wait are flushed. */
  #dueAt(): number {
    const at = this.#lastBegun + COMMIT_INTERVAL_MS;
    const gathers = this.#changes.length > 0 && this.#rate * GATHER_MS >= EXPECTED_CHANGES;
    return gathers ? Math.max(at, performance.now() + GATHER_MS) : at;
  }

  /** Schedules a flush, unless one is scheduled for this time or earlier. */
  #schedule(at: number): void {
    if (this.#next !== undefined && this.#next.at <= at) return;
    clearTimeout(this.#next?.timer);
    const waitMs = at - performance.now();
    const timer = waitMs > 0.5 ? setTimeout(() => this.#onDue(), waitMs) : undefined;
    if (timer === undefined) setImmediate(() => this.#onDue());
    this.#next = { at, timer };
  }

  #onDue(): void {
    const until = this.#waitsUntil;
    if (this.#writing === undefined && until !== undefined && until - performance.now() > 0.5) {
      // This flush is only for commits that have no changes and precede the first waiting change.
      const ready = this.#pending.filter(({ changes }) => changes === 0);
      this.#pending = this.#pending.filter(({ changes }) => changes > 0);
      for (const { resolve, reject } of ready) this.#failure === undefined ? resolve() : reject(this.#failure);
      this.#next = undefined;
      this.#schedule(until);
    } else void this.flush();
  }

  /**
   * Writes the gathered changes immediately, or after the write in progress. Resolves when the changes that were
   * gathered before the call have been written, or when the write has failed. If the write fails, the promises of
   * `commit` reject, but the promise of `flush` does not.
   */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    this.#next = undefined;
    if (this.#changes.length === 0 && this.#pending.length === 0) return;
    this.#writing = this.#writeGathered().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  /**
   * Runs another write to the store between two transactions of the journal. Changes that are gathered in the meantime
   * are written afterward. Rejects if an earlier transaction failed, if the operation fails, or if the journal was
   * closed before the operation began.
   */
  async between<T>(operation: () => Promise<T>): Promise<T> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw new UnreachableError('the coordinator is stopping');
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

  /** Writes the gathered changes as `flush` does. From then on, calls of `between` are rejected. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.flush();
  }

  async #writeGathered(): Promise<void> {
    const changes = this.#changes;
    const pending = this.#pending;
    this.#changes = [];
    this.#pending = [];
    this.#waitsUntil = undefined;
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
    const rate = attributed.length / Math.max(1, begun - this.#lastBegun);
    this.#rate += RATE_WEIGHT * (rate - this.#rate);
    this.#lastBegun = begun;
    const written = await this.#store.write(attributed, this.#now());
    const changes = attributed.map(({ change }) => change);
    this.#lastMs = performance.now() - begun;
    const commit = { changes, ...written, seconds: this.#lastMs / 1000 };
    for (const listener of this.#listeners) listener(commit);
  }
}
