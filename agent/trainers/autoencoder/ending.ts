import type { TrainingRun } from '../trainer.ts';

/** How one run of a pack comes to its end: once. */
export class Ending {
  readonly promise: Promise<void>;
  readonly #run: TrainingRun;
  #over = false;
  #resolve: () => void = () => {};
  #reject: (reason: unknown) => void = () => {};

  constructor(run: TrainingRun) {
    this.#run = run;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever waits for it may do so later.
    this.promise.catch(() => {});
  }

  get over(): boolean {
    return this.#over;
  }

  succeed(): void {
    this.#over = true;
    this.#resolve();
  }

  /** What was stopped ends with the stop's reason, whatever came of it. */
  fail(error: unknown): void {
    this.#over = true;
    this.#reject(this.#run.signal.aborted ? this.#run.signal.reason : error);
  }
}
