import { setTimeout as sleep } from 'node:timers/promises';
import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { Backoff } from '../../lib/net/backoff.ts';
import { UnreachableError } from '../../proto/errors.ts';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Connection } from './connect.ts';
import { stream } from './rpc.ts';

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;

export interface WatchOptions {
  /** How long the coordinator may be away before watching is given up. */
  readonly patienceMs: number;
  /** Where to begin, as in WatchRequest; with a snapshot unless given. */
  readonly since?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called once each time that the coordinator is lost. */
  readonly onAway?: (why: string) => void;
  /** Called once each time that it is there again. */
  readonly onBack?: () => void;
}

/**
 * The Watch stream of a sweep until the sweep has ended, across restarts of the coordinator: after a break it goes on
 * with what was missed, and no event comes twice. Where that cannot be (the break came amid a snapshot, or the store is
 * another one) a new snapshot comes. Ends early, without an error, when the signal fires.
 * @param sweep the sweep's id: `last` could become another one over a reconnect
 * @throws {UnreachableError} when the coordinator was never there, or stays away longer than `patienceMs`
 */
export async function* watchSweep(
  connection: Connection,
  sweep: string,
  { patienceMs, since, signal, onAway, onBack }: WatchOptions,
): AsyncGenerator<WatchResponse, void, void> {
  const position = new WatchPosition(since);
  let awaySince: number | undefined;
  let seen = false;
  const backoff = new Backoff(FIRST_WAIT_MS, LONGEST_WAIT_MS);
  let ended = false;
  while (!signal?.aborted) {
    let why = 'its stream ended before the sweep did';
    let isImmediate = false;
    try {
      const request = { sweep, sinceEventSeq: position.since };
      for await (const response of stream(connection, connection.client.watch, request, signal)) {
        const fresh = position.take(response);
        if (fresh === undefined) {
          why = 'another store answers in its place';
          isImmediate = true;
          break;
        }
        if (awaySince !== undefined) onBack?.();
        awaySince = undefined;
        seen = true;
        backoff.reset();
        // Rows may still follow the message that says so.
        ended = endsSweep(response) ?? ended;
        yield fresh;
      }
      if (ended || signal?.aborted) return;
    } catch (error) {
      if (ended) return;
      if (!(error instanceof UnreachableError) || !seen) throw error;
      if (awaySince !== undefined && Date.now() - awaySince > patienceMs) throw error;
      why = error.message;
    }
    if (awaySince === undefined) {
      awaySince = Date.now();
      onAway?.(why);
    } else if (Date.now() - awaySince > patienceMs) {
      throw new UnreachableError(`the coordinator at ${connection.address} stayed away: ${why}`);
    }
    if (!isImmediate) await sleep(backoff.next(), undefined, signal ? { signal } : {}).catch(() => {});
  }
}

/** Undefined: the message does not say. A sweep whose trials are retried runs again. */
function endsSweep({ update }: WatchResponse): boolean | undefined {
  const sweep = update?.$case === 'snapshot' ? update.snapshot.sweep : update?.delta.sweep;
  return sweep && sweepEnded(sweep);
}

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
