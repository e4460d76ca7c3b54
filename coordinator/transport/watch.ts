/**
 * Watches a sweep. Sends a snapshot or the changes since the watcher's last event, and then the changes of each commit.
 */
import { OverloadedError } from '../../proto/errors.ts';
import type { WatchDelta, WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent, Event, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { isEnded } from '../core/model.ts';
import type { Commit } from '../store/journal.ts';
import type { Queries } from '../store/queries.ts';
import { WATCH_BACKLOG } from './limits.ts';

const WATCH_INTERVAL_MS = 100;
/** Trials per message, so that messages of large sweeps stay below the limit of gRPC. */
export const TRIALS_PER_MESSAGE = 1_000;
const EVENTS_PER_MESSAGE = 1_000;

export interface WatchSource {
  readonly queries: Queries;
  readonly agents: () => Agent[];
  onCommit(listener: (commit: Commit) => void): () => void;
}

/**
 * Yields the messages of a watch. Returns when the sweep has ended, or when the signal is aborted.
 * @param since the last event that the watcher has; 0 begins with a snapshot, and -1 with the first event
 * @throws {OverloadedError} when the watcher falls behind; a new watch continues from its last event
 */
export async function* watchMessages(
  source: WatchSource,
  sweepId: string,
  since: number,
  signal: AbortSignal,
): AsyncGenerator<WatchResponse> {
  const pending = new PendingChanges();
  const unsubscribe = source.onCommit((commit) => pending.add(commit, sweepId));
  try {
    const { queries } = source;
    let sentUpTo: number;
    let lastAgents = '';
    if (since !== 0 && since <= queries.lastEvent()) {
      sentUpTo = yield* catchUp(queries, sweepId, Math.max(0, since));
    } else {
      const agents = source.agents();
      lastAgents = JSON.stringify(agents);
      sentUpTo = queries.lastEvent();
      yield* snapshotOf(queries.sweep(sweepId), queries.trials(sweepId), agents, sentUpTo);
    }
    while (!isEnded(sweepState.of(queries.sweep(sweepId).state)) || pending.any) {
      await pending.wait(WATCH_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const { trialIds, events } = pending.drain(sentUpTo);
      const changed = [...trialIds].map((id) => queries.trial(sweepId, id));
      const nowAgents = source.agents();
      const agentsText = JSON.stringify(nowAgents);
      const agentsChanged = agentsText !== lastAgents;
      lastAgents = agentsText;
      if (changed.length === 0 && events.length === 0 && !agentsChanged) continue;
      sentUpTo = events.at(-1)?.seq ?? sentUpTo;
      const agents = agentsChanged ? nowAgents : [];
      yield* deltaOf({ sweep: queries.sweep(sweepId), trials: changed, events, agents, eventSeq: sentUpTo });
    }
  } finally {
    unsubscribe();
  }
}

/** Sends every event after `since` with the rows that it changed, in at least one delta. @returns the last event sent */
async function* catchUp(queries: Queries, sweepId: string, since: number): AsyncGenerator<WatchResponse, number> {
  let sentUpTo = since;
  for (;;) {
    const newest = queries.lastEvent();
    const events = queries.eventsAfter(sweepId, sentUpTo, EVENTS_PER_MESSAGE);
    const trialIds = new Set(events.flatMap(({ trialId }) => (trialId === '' ? [] : trialId)));
    const trials = [...trialIds].map((id) => queries.trial(sweepId, id));
    const all = events.length < EVENTS_PER_MESSAGE;
    sentUpTo = all ? newest : (events.at(-1)?.seq ?? newest);
    yield* deltaOf({ sweep: queries.sweep(sweepId), trials, events, agents: [], eventSeq: sentUpTo });
    if (all) return sentUpTo;
  }
}

function* snapshotOf(sweep: Sweep, trials: Trial[], agents: Agent[], eventSeq: number): Generator<WatchResponse> {
  const [first = [], ...others] = batches(trials);
  const more = others.length > 0;
  yield { update: { $case: 'snapshot', snapshot: { sweep, trials: first, agents, eventSeq, more } } };
  yield* remaining(others, eventSeq);
}

function* deltaOf(delta: Omit<WatchDelta, 'more'>): Generator<WatchResponse> {
  const [first = [], ...others] = batches(delta.trials);
  yield { update: { $case: 'delta', delta: { ...delta, trials: first, more: others.length > 0 } } };
  yield* remaining(others, delta.eventSeq);
}

function* remaining(others: readonly Trial[][], eventSeq: number): Generator<WatchResponse> {
  for (const [at, trials] of others.entries()) {
    const more = at + 1 < others.length;
    yield { update: { $case: 'delta', delta: { sweep: undefined, trials, events: [], agents: [], eventSeq, more } } };
  }
}

function batches(trials: readonly Trial[]): Trial[][] {
  return Array.from({ length: Math.ceil(trials.length / TRIALS_PER_MESSAGE) }, (_, i) =>
    trials.slice(i * TRIALS_PER_MESSAGE, (i + 1) * TRIALS_PER_MESSAGE),
  );
}

class PendingChanges {
  #trialIds = new Set<string>();
  #events: Event[] = [];
  #overflowed = false;

  get any(): boolean {
    return this.#overflowed || this.#events.length > 0;
  }

  add(commit: Commit, sweepId: string): void {
    for (const event of commit.events) {
      if (event.sweepId !== sweepId || this.#overflowed) continue;
      const { at: atMs, ...rest } = event;
      this.#events.push({ atMs, ...rest });
      if (event.trialId !== '') this.#trialIds.add(event.trialId);
      if (this.#events.length > WATCH_BACKLOG) this.#overflow();
    }
  }

  /** Discards the changes for a watcher that does not read. Its next `drain` throws. */
  #overflow(): void {
    this.#overflowed = true;
    this.#events = [];
    this.#trialIds.clear();
  }

  /** Returns and clears the gathered changes. @param sentUpTo the last event that the catch-up has already sent */
  drain(sentUpTo: number): { trialIds: Set<string>; events: Event[] } {
    if (this.#overflowed) throw new OverloadedError(`the watcher has not read ${WATCH_BACKLOG} events: watch again`);
    const drained = { trialIds: this.#trialIds, events: this.#events.filter(({ seq }) => seq > sentUpTo) };
    this.#trialIds = new Set();
    this.#events = [];
    return drained;
  }

  wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }
}
