import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { SparseLog } from '../../lib/net/sparse-log.ts';
import type { RefusalReason } from './admit.ts';

/** Every refusal is counted, and logged unless one for the same reason was logged just now. */
export class Refusals {
  readonly #counter: Counter<'reason'>;
  readonly #log: Logger;
  readonly #lines = new Map<RefusalReason, SparseLog>();

  constructor(counter: Counter<'reason'>, log: Logger) {
    this.#counter = counter;
    this.#log = log;
  }

  /** @param facts who, from where, and what they wanted; never a token */
  tell(reason: RefusalReason, facts: Readonly<Record<string, unknown>>): void {
    this.#counter.inc({ reason });
    const lines = this.#lines.get(reason) ?? new SparseLog(this.#log, 'refused');
    this.#lines.set(reason, lines);
    lines.warn({ reason, ...facts });
  }
}
