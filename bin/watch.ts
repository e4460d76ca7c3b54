import { setTimeout as sleep } from 'node:timers/promises';
import { sweepEnded } from '../lib/domain/trial-state.ts';
import { UnreachableError } from '../proto/errors.ts';
import type { WatchResponse } from '../proto/gen/trawl/v1/sweep_service.ts';
import type { Connection } from './connect.ts';
import { stream } from './rpc.ts';
import { WatchPosition } from './watch-position.ts';

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
  let waitMs = FIRST_WAIT_MS;
  let ended = false;
  while (!signal?.aborted) {
    let why = 'its stream ended before the sweep did';
    try {
      const request = { sweep, sinceEventSeq: position.since };
      for await (const response of stream(connection, connection.client.watch, request, signal)) {
        const fresh = position.take(response);
        if (fresh === undefined) {
          why = 'another store answers in its place';
          waitMs = 0;
          break;
        }
        if (awaySince !== undefined) onBack?.();
        awaySince = undefined;
        seen = true;
        waitMs = FIRST_WAIT_MS;
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
    await sleep(waitMs, undefined, signal ? { signal } : {}).catch(() => {});
    waitMs = Math.min(LONGEST_WAIT_MS, Math.max(FIRST_WAIT_MS, waitMs * 2));
  }
}

/** Undefined: the message does not say. A sweep whose trials are retried runs again. */
function endsSweep({ update }: WatchResponse): boolean | undefined {
  const sweep = update?.$case === 'snapshot' ? update.snapshot.sweep : update?.delta.sweep;
  return sweep && sweepEnded(sweep);
}
