/** A process of the simulated cluster. A process can be frozen for a while, and killed at any moment. */

/** The step at which a process dies, for example between a commit and the messages after the commit. */
export type DeathPoint =
  | { readonly at: 'before commit' }
  /** The process dies before the next commit that creates a trial. */
  | { readonly at: 'before creation' }
  | { readonly at: 'after commit' }
  /** The process dies after it has sent `left` more messages. */
  | { readonly at: 'sending'; left: number };

export class SimulatedProcess {
  /** The name of the process's machine. A restarted process has the same name. */
  readonly name: string;
  #alive = true;
  #frozenUntil = 0;
  #listeners: (() => void)[] = [];
  deathPoint: DeathPoint | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Virtual time in milliseconds until which the process is frozen. */
  get frozenUntil(): number {
    return this.#frozenUntil;
  }

  freeze(until: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, until);
  }

  onDeath(listener: () => void): void {
    this.#listeners.push(listener);
  }

  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

/** Thrown if code of a process still runs after the death of the process, in the same turn of the event loop. */
export class DeadError extends Error {
  override readonly name = 'DeadError';
}

/** SQLite's error for a full disk, which can end a process. */
export class DiskFullError extends Error {
  override readonly name = 'DiskFullError';
  readonly code = 'SQLITE_FULL';
}
