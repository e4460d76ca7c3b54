/** Computes exponential backoff: each delay is twice the previous delay, up to a limit. */

/**
 * Returns the delay before a retry, in milliseconds.
 * @param retry the number of the retry; the first retry has the number 1
 */
export function backoffDelay(retry: number, firstMs: number, maxMs: number): number {
  return Math.min(firstMs * 2 ** (retry - 1), maxMs);
}

/** Returns the delays of successive retries. */
export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  #retries = 0;

  constructor(firstMs: number, maxMs: number) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
  }

  /** Returns the delay before the next retry, in milliseconds. */
  next(): number {
    this.#retries += 1;
    return backoffDelay(this.#retries, this.#firstMs, this.#maxMs);
  }

  /** Restarts with the first delay. The owner calls this method after a success. */
  reset(): void {
    this.#retries = 0;
  }
}
