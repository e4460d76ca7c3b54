/** Log lines that a stranger can cause as often as they like. */
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';

/** Whoever knocks all the time must not fill the log. */
export const LOG_EVERY_MS = 1_000;

/** One line a second at most; the next says how many were left out. */
export class SparseLog {
  readonly #log: Logger;
  readonly #message: string;
  #at = Number.NEGATIVE_INFINITY;
  #unsaid = 0;

  constructor(log: Logger, message: string) {
    this.#log = log;
    this.#message = message;
  }

  warn(facts: Readonly<Record<string, unknown>>): void {
    const now = performance.now();
    if (now - this.#at < LOG_EVERY_MS) {
      this.#unsaid += 1;
      return;
    }
    const more = this.#unsaid === 0 ? {} : { unsaid: this.#unsaid };
    this.#log.warn({ ...facts, ...more }, this.#message);
    this.#at = now;
    this.#unsaid = 0;
  }
}
