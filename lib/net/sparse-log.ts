/** Limits the rate of log lines about events that a client can cause arbitrarily often. */
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';

/** The shortest time between two lines, in milliseconds. */
export const LOG_EVERY_MS = 1_000;

/**
 * Logs at most one line per second. The next logged line contains the number of lines that were suppressed before it.
 */
export class SparseLog {
  readonly #log: Logger;
  readonly #message: string;
  #at = Number.NEGATIVE_INFINITY;
  #suppressed = 0;

  constructor(log: Logger, message: string) {
    this.#log = log;
    this.#message = message;
  }

  warn(facts: Readonly<Record<string, unknown>>): void {
    const now = performance.now();
    if (now - this.#at < LOG_EVERY_MS) {
      this.#suppressed += 1;
      return;
    }
    const more = this.#suppressed === 0 ? {} : { suppressed: this.#suppressed };
    this.#log.warn({ ...facts, ...more }, this.#message);
    this.#at = now;
    this.#suppressed = 0;
  }
}
