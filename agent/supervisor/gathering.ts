/** Combines the work of frequent events into one run, which costs less than one run per event. */

/** The minimum time between two runs of gathered work, in milliseconds. */
export const GATHER_MS = 2;

/**
 * Runs the gathered work at the end of the current turn of the event loop, but not until GATHER_MS have passed since
 * the previous run. A single event on an idle agent is therefore handled without a delay, and frequent events share one
 * run.
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
