/** Who watches a sweep gets one snapshot, or what a break kept from them, then what the commits change. */
import { OverloadedError } from '../../proto/errors.ts';
import type { WatchDelta, WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent, Event, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { isEnded } from '../core/model.ts';
import type { Commit } from '../store/journal.ts';
import type { Queries } from '../store/queries.ts';
import { WATCH_BACKLOG } from './limits.ts';

/** The least time between two deltas: changes in between share one. */
const WATCH_INTERVAL_MS = 100;
/** Trials in one message, so that a message of a large sweep stays under gRPC's limit. */
export const TRIALS_PER_MESSAGE = 1_000;
/** Events in one message of those that a watcher missed. */
const EVENTS_PER_MESSAGE = 1_000;

export interface WatchSource {
  readonly queries: Queries;
  readonly agents: () => Agent[];
  onCommit(listener: (commit: Commit) => void): () => void;
}

/**
 * Ends when the sweep has, or when the signal says that nobody listens any more.
 * @param since the newest event that the watcher knows all about; 0: nothing; -1: nothing, and it wants every event
 * @throws {OverloadedError} to a watcher that falls behind: a new watch goes on where it was
 */
export async function* watchSweep(
  source: WatchSource,
  sweepId: string,
  since: number,
  signal: AbortSignal,
): AsyncGenerator<WatchResponse> {
  const pending = new Changed();
  const unsubscribe = source.onCommit((commit) => pending.take(commit, sweepId));
  try {
    const { queries } = source;
    let told: number;
    let lastAgents = '';
    if (since !== 0 && since <= queries.lastEvent()) {
      told = yield* missed(queries, sweepId, Math.max(0, since));
    } else {
      const agents = source.agents();
      lastAgents = JSON.stringify(agents);
      told = queries.lastEvent();
      yield* snapshotOf(queries.sweep(sweepId), queries.trials(sweepId), agents, told);
    }
    while (!isEnded(sweepState.of(queries.sweep(sweepId).state)) || pending.any) {
      await pending.wait(WATCH_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const { trialIds, events } = pending.drain(told);
      const changed = [...trialIds].map((id) => queries.trial(sweepId, id));
      const nowAgents = source.agents();
      const agentsText = JSON.stringify(nowAgents);
      const agentsChanged = agentsText !== lastAgents;
      lastAgents = agentsText;
      if (changed.length === 0 && events.length === 0 && !agentsChanged) continue;
      told = events.at(-1)?.seq ?? told;
      const agents = agentsChanged ? nowAgents : [];
      yield* deltaOf({ sweep: queries.sweep(sweepId), trials: changed, events, agents, eventSeq: told });
    }
  } finally {
    unsubscribe();
  }
}

/** Every event after `since`, with the rows that they changed; at least one delta. Returns the newest event told. */
async function* missed(queries: Queries, sweepId: string, since: number): AsyncGenerator<WatchResponse, number> {
  let told = since;
  for (;;) {
    const newest = queries.lastEvent();
    const events = queries.eventsAfter(sweepId, told, EVENTS_PER_MESSAGE);
    const trialIds = new Set(events.flatMap(({ trialId }) => (trialId === '' ? [] : trialId)));
    const trials = [...trialIds].map((id) => queries.trial(sweepId, id));
    const all = events.length < EVENTS_PER_MESSAGE;
    told = all ? newest : (events.at(-1)?.seq ?? newest);
    yield* deltaOf({ sweep: queries.sweep(sweepId), trials, events, agents: [], eventSeq: told });
    if (all) return told;
  }
}

function* snapshotOf(sweep: Sweep, trials: Trial[], agents: Agent[], eventSeq: number): Generator<WatchResponse> {
  const [first = [], ...others] = batches(trials);
  const more = others.length > 0;
  yield { update: { $case: 'snapshot', snapshot: { sweep, trials: first, agents, eventSeq, more } } };
  yield* further(others, eventSeq);
}

function* deltaOf(delta: Omit<WatchDelta, 'more'>): Generator<WatchResponse> {
  const [first = [], ...others] = batches(delta.trials);
  yield { update: { $case: 'delta', delta: { ...delta, trials: first, more: others.length > 0 } } };
  yield* further(others, delta.eventSeq);
}

/** The trials that the first message had no room for. */
function* further(others: readonly Trial[][], eventSeq: number): Generator<WatchResponse> {
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

/** What changed since the last delta. */
class Changed {
  #trialIds = new Set<string>();
  #events: Event[] = [];
  #overflowed = false;

  get any(): boolean {
    return this.#overflowed || this.#events.length > 0;
  }

  take(commit: Commit, sweepId: string): void {
    for (const event of commit.events) {
      if (event.sweepId !== sweepId || this.#overflowed) continue;
      const { at: atMs, ...rest } = event;
      this.#events.push({ atMs, ...rest });
      if (event.trialId !== '') this.#trialIds.add(event.trialId);
      if (this.#events.length > WATCH_BACKLOG) this.#overflow();
    }
  }

  /** Nothing is kept for a watcher that does not come for it. */
  #overflow(): void {
    this.#overflowed = true;
    this.#events = [];
    this.#trialIds.clear();
  }

  /** @param told events up to this one were told already, while they were gathered here */
  drain(told: number): { trialIds: Set<string>; events: Event[] } {
    if (this.#overflowed) throw new OverloadedError(`more than ${WATCH_BACKLOG} events were not read: watch again`);
    const drained = { trialIds: this.#trialIds, events: this.#events.filter(({ seq }) => seq > told) };
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
