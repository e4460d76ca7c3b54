/**
 * Detects that the agent was suspended: its process was stopped (SIGSTOP, Ctrl-Z), its event loop was blocked, or its
 * machine slept. During a suspension, the agent's leases can expire while its programs continue to run.
 */

/**
 * The clocks are monotonic, in milliseconds. Changes of the wall clock (by NTP or an administrator) affect neither
 * clock.
 */
export interface Clocks {
  /** This clock continues while the process is stopped, but on some systems stops while the machine sleeps. */
  process(): number;
  /** This clock continues while the machine sleeps. Undefined if sleep does not count as a suspension. */
  readonly machine?: (() => number) | undefined;
}

interface Reading {
  readonly process: number;
  readonly machine: number;
}

/** Returns the time between two readings in milliseconds, according to the clock that advanced more. */
export function elapsedBetween(before: Reading, after: Reading): number {
  return Math.max(after.process - before.process, after.machine - before.machine);
}

export class SuspensionWatch {
  readonly #clocks: Clocks;
  readonly #onSuspended: (elapsedMs: number) => void;
  #limitMs: number | undefined;
  #last: Reading;

  /**
   * @param onSuspended called if the time since the previous check exceeds the limit, with this time in milliseconds
   */
  constructor(clocks: Clocks, onSuspended: (elapsedMs: number) => void) {
    this.#clocks = clocks;
    this.#onSuspended = onSuspended;
    this.#last = this.#read();
  }

  /**
   * Sets the limit, which is the duration of a lease.
   * @param limitMs the duration in milliseconds; 0 if it is unknown, which disables the watch
   */
  setLimit(limitMs: number): void {
    this.check();
    this.#limitMs = limitMs === 0 ? undefined : limitMs;
  }

  /**
   * Calls `onSuspended` if the agent was suspended since the previous check. Must be called several times per lease
   * duration, and before anything is sent to the coordinator.
   */
  check(): void {
    const now = this.#read();
    const elapsedMs = elapsedBetween(this.#last, now);
    this.#last = now;
    if (this.#limitMs !== undefined && elapsedMs > this.#limitMs) this.#onSuspended(elapsedMs);
  }

  #read(): Reading {
    return { process: this.#clocks.process(), machine: this.#clocks.machine?.() ?? 0 };
  }
}
