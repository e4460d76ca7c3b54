/** A process of the simulated cluster: born, frozen for a while, and dead at any moment without another word. */

/** At which moment a process is to die: between two steps that the product takes at once. */
export type Fuse =
  /** All is written but the commit itself. */
  | { readonly at: 'before commit' }
  /** The commit is durable, and nothing has left. */
  | { readonly at: 'after commit' }
  /** So many messages have left, of those that go out together. */
  | { readonly at: 'sending'; left: number };

export class SimulatedProcess {
  /** The place that it runs at: a later process of the same place has the same name. */
  readonly name: string;
  #alive = true;
  #frozenUntil = 0;
  #mourners: (() => void)[] = [];
  fuse: Fuse | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Milliseconds of virtual time: nothing of it runs before. */
  get frozenUntil(): number {
    return this.#frozenUntil;
  }

  freeze(until: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, until);
  }

  onDeath(mourner: () => void): void {
    this.#mourners.push(mourner);
  }

  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    const mourners = this.#mourners;
    this.#mourners = [];
    for (const mourner of mourners) mourner();
  }
}

/** Thrown into what a process still does in the turn in which it died. */
export class DeadError extends Error {
  override readonly name = 'DeadError';
}

/** As SQLite says it; a process may die of it. */
export class DiskFullError extends Error {
  override readonly name = 'DiskFullError';
  readonly code = 'SQLITE_FULL';
}
