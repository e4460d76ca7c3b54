/** Whether the agent takes anything new, and how long what runs may go on when it does not. */

/** The longest time that a timer can be set to. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export class Draining {
  readonly #onGraceOver: () => void;
  /** As the coordinator has it; undefined: it does not ask for that. */
  #ordered: number | undefined;
  /** The agent is to end. */
  #leaving: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param onGraceOver what still runs is to be handed back now */
  constructor(onGraceOver: () => void) {
    this.#onGraceOver = onGraceOver;
  }

  get taking(): boolean {
    return this.#until === undefined;
  }

  get leaving(): boolean {
    return this.#leaving !== undefined;
  }

  get graceOver(): boolean {
    return this.#until !== undefined && performance.now() >= this.#until;
  }

  /** @param graceMs undefined: the agent may take work, for all the coordinator cares */
  order(graceMs: number | undefined): void {
    this.#ordered = graceMs === undefined ? undefined : performance.now() + graceMs;
    this.#wait();
  }

  leave(graceMs: number): void {
    this.#leaving = performance.now() + graceMs;
    this.#wait();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  get #until(): number | undefined {
    if (this.#ordered === undefined || this.#leaving === undefined) return this.#ordered ?? this.#leaving;
    return Math.min(this.#ordered, this.#leaving);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const until = this.#until;
    if (until === undefined) return;
    const left = Math.ceil(Math.max(0, until - performance.now()));
    this.#timer = setTimeout(() => (this.graceOver ? this.#onGraceOver() : this.#wait()), Math.min(left, MAX_TIMER_MS));
  }
}
