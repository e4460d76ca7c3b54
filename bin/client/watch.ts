import { setTimeout as sleep } from 'node:timers/promises';
import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { Backoff } from '../../lib/net/backoff.ts';
import { UnreachableError } from '../../proto/errors.ts';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { note } from '../output/print.ts';
import type { Connection } from './connect.ts';
import { stream } from './rpc.ts';

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 5_000;

export interface WatchOptions {
  /** The time in milliseconds for which the coordinator may be unreachable before the watch fails. */
  readonly patienceMs: number;
  /** `sinceEventSeq` of the first request. Default: 0, which requests a snapshot. */
  readonly since?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called once per outage, when the coordinator becomes unreachable. */
  readonly onOutage?: (reason: string) => void;
  /** Called once per outage, when the coordinator is reachable again. */
  readonly onReconnect?: () => void;
}

/** Returns callbacks for {@link watchSweep} that report outages on stderr. */
export function outageNotes({ address }: Connection): Required<Pick<WatchOptions, 'onOutage' | 'onReconnect'>> {
  return {
    onOutage: () => note(`lost the connection to the coordinator at ${address}; reconnecting`),
    onReconnect: () => note('reconnected to the coordinator'),
  };
}

/**
 * Yields the Watch stream of a sweep until the sweep has ended, across restarts of the coordinator. After an outage the
 * stream continues with the missed events, and no event is repeated. If the outage interrupted a snapshot, or if the
 * coordinator now serves another store, the stream continues with a new snapshot. Ends early, without an error, when
 * `signal` is aborted.
 * @param sweep the id of the sweep, and not `last`, because `last` could select another sweep after a reconnect
 * @throws {UnreachableError} when the first connection fails, or an outage lasts longer than `patienceMs`
 */
export async function* watchSweep(
  connection: Connection,
  sweep: string,
  { patienceMs, since, signal, onOutage, onReconnect }: WatchOptions,
): AsyncGenerator<WatchResponse, void, void> {
  const position = new WatchPosition(since);
  let outageSince: number | undefined;
  let connectedOnce = false;
  const backoff = new Backoff(FIRST_DELAY_MS, MAX_DELAY_MS);
  let ended = false;
  while (!signal?.aborted) {
    let reason = 'its stream ended before the sweep did';
    let isImmediate = false;
    try {
      const request = { sweep, sinceEventSeq: position.since };
      for await (const response of stream(connection, connection.client.watch, request, signal)) {
        const fresh = position.take(response);
        if (fresh === undefined) {
          reason = 'it now serves another store';
          isImmediate = true;
          break;
        }
        if (outageSince !== undefined) onReconnect?.();
        outageSince = undefined;
        connectedOnce = true;
        backoff.reset();
        // The stream is read to its end, because further trials can follow the message that reports the sweep's end.
        ended = endsSweep(response) ?? ended;
        yield fresh;
      }
      if (ended || signal?.aborted) return;
    } catch (error) {
      if (ended) return;
      if (!(error instanceof UnreachableError) || !connectedOnce) throw error;
      if (outageSince !== undefined && Date.now() - outageSince > patienceMs) throw error;
      reason = error.message;
    }
    if (outageSince === undefined) {
      outageSince = Date.now();
      onOutage?.(reason);
    } else if (Date.now() - outageSince > patienceMs) {
      throw new UnreachableError(`the coordinator at ${connection.address} did not recover: ${reason}`);
    }
    if (!isImmediate) await sleep(backoff.next(), undefined, signal ? { signal } : {}).catch(() => {});
  }
}

function endsSweep({ update }: WatchResponse): boolean | undefined {
  const sweep = update?.$case === 'snapshot' ? update.snapshot.sweep : update?.delta.sweep;
  return sweep && sweepEnded(sweep);
}

/**
 * The position of a watcher in a sweep's event log. The position determines where the watcher resumes after an outage.
 */
export class WatchPosition {
  #since: number;
  #newestEvent = 0;
  #createdAtMs: number | undefined;

  /** @param since the value of `sinceEventSeq` in the first request */
  constructor(since = 0) {
    this.#since = since;
  }

  /** The sequence number of the event after which the watch resumes. 0 requests a snapshot. */
  get since(): number {
    return this.#since;
  }

  /**
   * Returns the new part of a message. An interrupted batch of events is sent again as a whole, so events that were
   * already received are dropped.
   * @returns undefined if the coordinator now serves another store. The caller must then request a new snapshot
   */
  take(response: WatchResponse): WatchResponse | undefined {
    const { update } = response;
    if (update === undefined) return response;
    if (update.$case === 'snapshot') {
      const { sweep, eventSeq, more } = update.snapshot;
      this.#createdAtMs = sweep?.createdAtMs;
      this.#newestEvent = eventSeq;
      // An incomplete snapshot cannot be resumed.
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
