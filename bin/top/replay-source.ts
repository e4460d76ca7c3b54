/** Replays an ended sweep in the dashboard, at a selectable speed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Source } from '../../dashboard/source.ts';
import { shownAt, startClock } from '../../dashboard/state/replay-clock.ts';
import { attemptStartMs } from '../../lib/domain/attempt-state.ts';
import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { RejectedError } from '../../proto/errors.ts';
import type { Attempt, Event } from '../../proto/gen/trawl/v1/types.ts';
import type { Connection } from '../client/connect.ts';
import { restartingStream } from '../client/rpc.ts';
import { getSweep, listCurves, listTrials } from '../client/sweeps.ts';
import type { ServerOptions } from '../options/common.ts';
import { suggested } from '../output/suggested.ts';
import { FIRST_EVENT } from './coordinator-source.ts';
import { type History, Replay } from './replay.ts';

const STEP_MS = 100;

/** Loads the events and reports of an ended sweep. @throws {RejectedError} when the sweep has not ended */
export async function historyOf(connection: Connection, selector: string, options: ServerOptions): Promise<History> {
  const { sweep } = await getSweep(connection, selector);
  if (!sweepEnded(sweep)) {
    throw new RejectedError(
      `sweep ${sweep.id} has not ended; watch it with "${suggested(`top ${sweep.id}`, options)}"`,
    );
  }
  const trials = await listTrials(connection, { sweep: sweep.id });
  const curves = await listCurves(connection, sweep.id);
  const events: Event[] = [];
  const request = { sweep: sweep.id, sinceEventSeq: FIRST_EVENT };
  const discard = () => {
    events.length = 0;
  };
  for await (const { update } of restartingStream(connection, connection.client.watch, request, discard)) {
    if (update?.$case === 'delta') events.push(...update.delta.events);
  }
  return { sweep, trials: trials.sort((a, b) => a.index - b.index), curves, events };
}

export interface ReplaySource {
  readonly source: Source;
  /** Returns the replayed time in Unix milliseconds. */
  readonly now: () => number;
}

const rejectChange = async () => {
  throw new RejectedError('a replay cannot change the sweep');
};

/**
 * Returns the dashboard's source for a replay.
 * @param live the source of all data that `history` lacks
 * @param speed the speed as a multiple of the original speed
 */
export function replaySource(live: Source, history: History, speed: number): ReplaySource {
  const { sweep, curves, events } = history;
  const lastMs = Math.max(sweep.endedAtMs, events.at(-1)?.atMs ?? 0);
  let clock = startClock(sweep.createdAtMs, lastMs, speed, Date.now());
  const now = () => shownAt(clock, Date.now());
  const source: Source = {
    ...live,
    readonly: true,
    replay: {
      clock: () => clock,
      set: (changed) => {
        clock = changed;
      },
    },
    find: async () => sweep.id,
    sweeps: async () => [],
    earlierEvents: async () => [],
    async *watch(_, { signal }) {
      const replay = new Replay(history);
      yield* replay.start(now());
      // The stream does not end with the sweep, because the user can go back to an earlier time.
      while (!signal.aborted) {
        await sleep(STEP_MS, undefined, { signal }).catch(() => {});
        const update = replay.until(now());
        if (update !== undefined) yield update;
      }
    },
    curves: async (_, ids) => {
      const until = now();
      return new Map(ids.map((id) => [id, (curves.get(id) ?? []).filter(({ atMs }) => atMs <= until)]));
    },
    async trial(sweepId, trialId) {
      const whole = await live.trial(sweepId, trialId);
      const until = now();
      return {
        ...whole,
        attempts: whole.attempts
          .filter(({ grantedAtMs }) => grantedAtMs <= until)
          .map((attempt) => attemptAt(attempt, until)),
        artifacts: whole.artifacts.filter(({ atMs }) => atMs <= until),
      };
    },
    controlSweep: rejectChange,
    killTrial: rejectChange,
    retry: rejectChange,
    prioritize: rejectChange,
    drain: rejectChange,
  };
  return { source, now };
}

/** Returns an attempt as it was at the time `until`, in Unix milliseconds. */
function attemptAt(attempt: Attempt, until: number): Attempt {
  if (attempt.endedAtMs <= until) return attempt;
  const start = attemptStartMs(attempt);
  const isQueued = start === 0 || start > until;
  return {
    ...attempt,
    startedAtMs: isQueued ? 0 : start,
    queued: isQueued,
    endedAtMs: 0,
    failure: undefined,
    outcome: 'ATTEMPT_OUTCOME_UNSPECIFIED',
  };
}
