/** The steps from the start of a command until the sweep is known, such as starting the processes. */
export class StartProgress {
  /** Lines that are shown above the steps, such as the plan of the sweep. */
  readonly heading: readonly string[];
  #steps: readonly string[] = [];
  #listener: () => void = () => {};

  constructor(heading: readonly string[] = []) {
    this.heading = heading;
  }

  /** The steps so far, in order. The last step is in progress. */
  get steps(): readonly string[] {
    return this.#steps;
  }

  readonly report = (step: string): void => {
    this.#steps = [...this.#steps, step];
    this.#listener();
  };

  /** Calls a listener after each step. The listener replaces any earlier listener. */
  onStep(listener: () => void): void {
    this.#listener = listener;
  }
}
