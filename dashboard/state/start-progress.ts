/** What happens before the sweep is known, such as the start of processes. */
export class StartProgress {
  #steps: readonly string[] = [];
  #listener: () => void = () => {};

  /** The steps so far, in order. The last one is in progress. */
  get steps(): readonly string[] {
    return this.#steps;
  }

  readonly report = (step: string): void => {
    this.#steps = [...this.#steps, step];
    this.#listener();
  };

  /** Calls a listener, instead of any earlier one, after each step. */
  onStep(listener: () => void): void {
    this.#listener = listener;
  }
}
