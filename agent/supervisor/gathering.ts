/** Gathers work that costs less if it is done together. */

/** The minimum time between two runs of gathered work, in milliseconds. */
export const GATHER_MS = 2;

/**
 * Runs the gathered work at the end of the current turn of the event loop or, if the previous run was less than
 * GATHER_MS ago, once this time has passed. A single event on an idle agent is therefore handled without a delay, and
 * frequent events share runs.
 */
export class Gathering {
  readonly #run: () => void;
  #lastRunAt = Number.NEGATIVE_INFINITY;
  #scheduled = false;

  constructor(run: () => void) {
    this.#run = run;
  }

  /** Schedules a run, unless one is scheduled already. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const waitMs = this.#lastRunAt + GATHER_MS - performance.now();
    const run = () => {
      this.#scheduled = false;
      this.#lastRunAt = performance.now();
      this.#run();
    };
    if (waitMs > 0) setTimeout(run, Math.ceil(waitMs));
    else setImmediate(run);
  }
}
