/**
 * Between the decisions and the world: makes a decision's changes durable, and only then lets anything about it leave.
 */
import type { Database } from 'libsql';
import { type Core, isEnded, type Sweep } from '../core/model.ts';
import { schedule } from '../core/scheduler.ts';
import type { Change, Output, Step } from '../core/step.ts';
import { type Commit, Journal } from '../store/journal.ts';
import { loadCore } from '../store/load.ts';
import { Queries } from '../store/queries.ts';

/** The wall clock at the start of the process. Monotonic time is added to it, so that `now` never jumps. */
const startedAt = Date.now() - performance.now();

/** Returns Unix milliseconds of a clock that never jumps. */
export function now(): number {
  return Math.round(startedAt + performance.now());
}

export interface RuntimeOptions {
  readonly db: Database;
  readonly leaseMs: number;
  /** Carries an output out. It must not throw. */
  readonly send: (output: Output) => void;
  /** The store cannot be written any more: memory is ahead of it, so the process must end. */
  readonly onBroken: (error: unknown) => void;
  /** Called after every pass of the scheduler. */
  readonly onPass?: (seconds: number) => void;
  /** Unix milliseconds that never jump; the process's own clock unless given. */
  readonly now?: () => number;
}

export class Runtime {
  readonly db: Database;
  readonly core: Core;
  readonly queries: Queries;
  readonly now: () => number;
  readonly #journal: Journal;
  readonly #send: (output: Output) => void;
  readonly #onBroken: (error: unknown) => void;
  readonly #onPass: (seconds: number) => void;
  readonly #listeners = new Set<(commit: Commit) => void>();
  #scheduling = false;

  constructor({ db, leaseMs, send, onBroken, onPass = () => {}, now: clock = now }: RuntimeOptions) {
    this.db = db;
    this.now = clock;
    this.core = loadCore(db, leaseMs, clock());
    this.queries = new Queries(db);
    this.#send = send;
    this.#onBroken = onBroken;
    this.#onPass = onPass;
    this.#journal = new Journal(db, clock, (commit) => {
      for (const listener of this.#listeners) listener(commit);
    });
  }

  /** Calls back after every durable commit; the returned function ends that. */
  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the step, and every step before it, is durable and its outputs are on their way. */
  async settle(step: Step): Promise<void> {
    this.#forgetEnded(step.changes);
    try {
      await this.#journal.commit(step.changes);
    } catch (error) {
      this.#onBroken(error);
      throw error;
    }
    for (const output of step.outputs) this.#send(output);
  }

  /** Tops the window of offers up, once a turn of the event loop however often it is asked. */
  reschedule(): void {
    if (this.#scheduling) return;
    this.#scheduling = true;
    setImmediate(() => {
      this.#scheduling = false;
      const begun = performance.now();
      const step = schedule(this.core, this.now());
      this.#onPass((performance.now() - begun) / 1000);
      if (step.changes.length + step.outputs.length > 0) this.settle(step).catch(() => {});
    });
  }

  addSweep(sweep: Sweep): void {
    this.core.sweeps.set(sweep.id, sweep);
    this.reschedule();
  }

  /** Writes what is still gathered. */
  flush(): void {
    this.#journal.flush();
  }

  /** A sweep that is over is only read about, from the store. */
  #forgetEnded(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind === 'sweep' && isEnded(change.state)) this.core.sweeps.delete(change.sweepId);
    }
  }
}
