/** A log of all events, to diagnose a violated invariant. */
import type { Clock } from './clock.ts';

export class Trace {
  readonly lines: string[] = [];
  readonly #clock: Clock;
  readonly #enabled: boolean;

  constructor(clock: Clock, enabled: boolean) {
    this.#clock = clock;
    this.#enabled = enabled;
  }

  /** Adds a line. `line` is called only if tracing is on. */
  note(line: () => string): void {
    if (this.#enabled) this.lines.push(`${(this.#clock.now / 1_000).toFixed(3).padStart(9)}  ${line()}`);
  }
}
