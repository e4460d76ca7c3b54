import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import type { RefusalReason } from './admit.ts';

/** Lines a second for one reason: whoever knocks all the time must not fill the log. */
const LOG_EVERY_MS = 1_000;

/** Every refusal is counted, and logged unless one for the same reason was logged just now. */
export class Refusals {
  readonly #counter: Counter<'reason'>;
  readonly #log: Logger;
  readonly #lines = new Map<RefusalReason, { at: number; unsaid: number }>();

  constructor(counter: Counter<'reason'>, log: Logger) {
    this.#counter = counter;
    this.#log = log;
  }

  /** @param facts who, from where, and what they wanted; never a token */
  tell(reason: RefusalReason, facts: Readonly<Record<string, unknown>>): void {
    this.#counter.inc({ reason });
    const line = this.#lines.get(reason) ?? { at: Number.NEGATIVE_INFINITY, unsaid: 0 };
    this.#lines.set(reason, line);
    const now = performance.now();
    if (now - line.at < LOG_EVERY_MS) {
      line.unsaid += 1;
      return;
    }
    const more = line.unsaid === 0 ? {} : { unsaid: line.unsaid };
    this.#log.warn({ reason, ...facts, ...more }, 'refused');
    line.at = now;
    line.unsaid = 0;
  }
}
