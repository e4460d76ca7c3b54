import type { WatchResponse } from '../proto/gen/trawl/v1/sweep_service.ts';

/** How far a watcher has come in a sweep's events: where it goes on after a break, and what it has seen before. */
export class WatchPosition {
  #since: number;
  #newestEvent = 0;
  #createdAtMs: number | undefined;

  /** @param since where to begin, as in WatchRequest */
  constructor(since = 0) {
    this.#since = since;
  }

  /** The event to go on after; 0: with a snapshot. */
  get since(): number {
    return this.#since;
  }

  /**
   * What is new in a message. A break between the parts of one moment brings its events once more: they are left off.
   * @returns undefined when the store is another one than before: ask again, from a snapshot
   */
  take(response: WatchResponse): WatchResponse | undefined {
    const { update } = response;
    if (update === undefined) return response;
    if (update.$case === 'snapshot') {
      const { sweep, eventSeq, more } = update.snapshot;
      this.#createdAtMs = sweep?.createdAtMs;
      this.#newestEvent = eventSeq;
      // Amid a snapshot there is nothing to go on from.
      this.#since = more ? 0 : eventSeq;
      return response;
    }
    const { sweep, eventSeq, more, events } = update.delta;
    if (sweep !== undefined && this.#createdAtMs !== undefined && sweep.createdAtMs !== this.#createdAtMs) {
      this.#since = 0;
      return undefined;
    }
    const fresh = events.filter(({ seq }) => seq > this.#newestEvent);
    this.#newestEvent = fresh.at(-1)?.seq ?? this.#newestEvent;
    if (!more) this.#since = Math.max(this.#since, eventSeq);
    return { update: { $case: 'delta', delta: { ...update.delta, events: fresh } } };
  }
}
