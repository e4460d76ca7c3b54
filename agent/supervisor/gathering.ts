/** Combines the work of frequent events into one run, which costs less than one run per event. */

/** The minimum time between two runs of gathered work, in milliseconds. */
export const GATHER_MS = 2;

/**
 * The minimum time between the previous run and a run for events that can wait, in milliseconds. At 8 slots with
 * programs of a few milliseconds, this time lets the records of about five trials share one write and one message.
 */
export const PATIENT_GATHER_MS = 25;

/**
 * Runs the gathered work at the end of the current turn of the event loop, but not until a minimum time has passed since
 * the previous run. A single event on an idle agent is therefore handled without a delay, and frequent events share one
 * run.
 */
export class Gathering {
  readonly #run: () => void;
  #lastRunAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  /**
   * The time of the scheduled run, by `performance.now()`: infinity if no run is scheduled, and minus infinity if it is
   * due at the end of the current turn.
   */
  #at = Number.POSITIVE_INFINITY;

  constructor(run: () => void) {
    this.#run = run;
  }

  /** Cancels the scheduled run. */
  cancel(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#at = Number.POSITIVE_INFINITY;
  }

  /**
   * Schedules a run, unless one is scheduled for this time or earlier.
   * @param gapMs the minimum time since the previous run, in milliseconds
   */
  schedule(gapMs = GATHER_MS): void {
    const at = this.#lastRunAt + gapMs;
    if (at >= this.#at) return;
    clearTimeout(this.#timer);
    const waitMs = at - performance.now();
    const run = () => {
      this.#at = Number.POSITIVE_INFINITY;
      this.#lastRunAt = performance.now();
      this.#run();
    };
    this.#at = waitMs > 0 ? at : Number.NEGATIVE_INFINITY;
    if (waitMs > 0) this.#timer = setTimeout(run, Math.ceil(waitMs));
    else this.#immediate = setImmediate(run);
  }
}
