/** How fast a sweep's trials end, and so when the last one will. */

/** Long enough to be steady, short enough to notice a lost agent. */
const WINDOW_MS = 10 * 60_000;
/** Ends are counted by the piece of time that they fall into. */
const PIECE_MS = 5_000;

export class Pace {
  readonly #pieces = new Map<number, number>();
  #firstStart: number | undefined;

  /** A trial begins to run. */
  started(now: number): void {
    this.#firstStart ??= now;
  }

  /** A trial that ran came to its end. */
  ended(now: number): void {
    const piece = Math.floor(now / PIECE_MS);
    this.#pieces.set(piece, (this.#pieces.get(piece) ?? 0) + 1);
    for (const old of this.#pieces.keys()) {
      if ((old + 1) * PIECE_MS > now - WINDOW_MS) break;
      this.#pieces.delete(old);
    }
  }

  /** @returns seconds until `unfinished` trials have ended; undefined where there is no pace to reckon with */
  etaSeconds(unfinished: number, now: number): number | undefined {
    if (unfinished === 0) return 0;
    if (this.#firstStart === undefined) return undefined;
    const from = Math.max(this.#firstStart, now - WINDOW_MS);
    let ends = 0;
    for (const [piece, count] of this.#pieces) if ((piece + 1) * PIECE_MS > from) ends += count;
    if (ends === 0 || now <= from) return undefined;
    return ((unfinished / ends) * (now - from)) / 1000;
  }
}
