/** What happened, line by line, for whoever looks into a broken law. */
import type { Clock } from './clock.ts';

export class Trace {
  readonly lines: string[] = [];
  readonly #clock: Clock;
  readonly #kept: boolean;

  constructor(clock: Clock, kept: boolean) {
    this.#clock = clock;
    this.#kept = kept;
  }

  /** @param line not asked for unless lines are kept */
  note(line: () => string): void {
    if (this.#kept) this.lines.push(`${(this.#clock.now / 1_000).toFixed(3).padStart(9)}  ${line()}`);
  }
}
