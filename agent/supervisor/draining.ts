/**
 * The state of drains and shutdowns: whether the agent takes new trials, whether it is shutting down, and when the
 * grace period of a drain or a shutdown expires.
 */
import { MAX_TIMER_MS } from '../../lib/text/duration.ts';

export class Draining {
  readonly #onGraceExpired: () => void;
  /** The time at which the grace period of the coordinator's drain expires. Undefined if there is no drain. */
  #drainUntil: number | undefined;
  /** The time at which the grace period of the agent's own shutdown expires. Undefined if there is no shutdown. */
  #leaveUntil: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param onGraceExpired called when attempts that still run must be handed back */
  constructor(onGraceExpired: () => void) {
    this.#onGraceExpired = onGraceExpired;
  }

  get isTaking(): boolean {
    return this.#until === undefined;
  }

  get isLeaving(): boolean {
    return this.#leaveUntil !== undefined;
  }

  /** @param graceMs the grace period; undefined if the coordinator ended the drain */
  setDrain(graceMs: number | undefined): void {
    this.#drainUntil = graceMs === undefined ? undefined : performance.now() + graceMs;
    this.#schedule();
  }

  leave(graceMs: number): void {
    this.#leaveUntil = performance.now() + graceMs;
    this.#schedule();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  get #until(): number | undefined {
    if (this.#drainUntil === undefined || this.#leaveUntil === undefined) return this.#drainUntil ?? this.#leaveUntil;
    return Math.min(this.#drainUntil, this.#leaveUntil);
  }

  get #isGraceExpired(): boolean {
    return this.#until !== undefined && performance.now() >= this.#until;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const until = this.#until;
    if (until === undefined) return;
    const leftMs = Math.min(Math.ceil(Math.max(0, until - performance.now())), MAX_TIMER_MS);
    this.#timer = setTimeout(() => (this.#isGraceExpired ? this.#onGraceExpired() : this.#schedule()), leftMs);
  }
}
