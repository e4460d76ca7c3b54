/** A process of the simulated cluster. It can be frozen for a while, and killed at any moment. */

/** The moment at which a process dies: between two steps that the product takes at once. */
export type Fuse =
  | { readonly at: 'before commit' }
  | { readonly at: 'after commit' }
  /** Sends `left` messages first. */
  | { readonly at: 'sending'; left: number };

export class SimulatedProcess {
  /** The place where it runs. Later processes of the same place have the same name. */
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

  /** Virtual time in milliseconds until which it does not run. */
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

/** Thrown when a process acts after its death in the same turn. */
export class DeadError extends Error {
  override readonly name = 'DeadError';
}

/** SQLite's error for a full disk. A process can die of it. */
export class DiskFullError extends Error {
  override readonly name = 'DiskFullError';
  readonly code = 'SQLITE_FULL';
}
