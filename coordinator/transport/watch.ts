/** Who watches a sweep gets one snapshot, then what the commits change, a few times a second. */
import { OverloadedError } from '../../proto/errors.ts';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent, Event, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { isEnded } from '../core/model.ts';
import type { Commit } from '../store/journal.ts';
import type { Queries } from '../store/queries.ts';
import { WATCH_BACKLOG } from './limits.ts';

/** The least time between two deltas: changes in between share one. */
export const WATCH_INTERVAL_MS = 100;
/** Trials in one message, so that a message of a large sweep stays under gRPC's limit. */
export const TRIALS_PER_MESSAGE = 1_000;

export interface WatchSource {
  readonly queries: Queries;
  readonly agents: () => Agent[];
  onCommit(listener: (commit: Commit) => void): () => void;
}

/**
 * Ends when the sweep has, or when the signal says that nobody listens any more.
 * @throws {OverloadedError} to a watcher that falls behind: a new watch begins with how things stand
 */
export async function* watchSweep(
  source: WatchSource,
  sweepId: string,
  signal: AbortSignal,
): AsyncGenerator<WatchResponse> {
  const pending = new Changed();
  const unsubscribe = source.onCommit((commit) => pending.take(commit, sweepId));
  try {
    const { queries } = source;
    const sweep = queries.sweep(sweepId);
    const trials = queries.trials(sweepId);
    const agents = source.agents();
    const first = trials.slice(0, TRIALS_PER_MESSAGE);
    const eventSeq = queries.lastEvent();
    yield { update: { $case: 'snapshot', snapshot: { sweep, trials: first, agents, eventSeq } } };
    yield* furtherTrials(trials);
    let lastAgents = JSON.stringify(agents);
    while (!isEnded(sweepState.of(queries.sweep(sweepId).state)) || pending.any) {
      await pending.wait(WATCH_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const { trialIds, events } = pending.drain();
      const changed = [...trialIds].map((id) => queries.trial(sweepId, id));
      const nowAgents = source.agents();
      const agentsText = JSON.stringify(nowAgents);
      const agentsChanged = agentsText !== lastAgents;
      lastAgents = agentsText;
      if (changed.length === 0 && events.length === 0 && !agentsChanged) continue;
      const deltaAgents = agentsChanged ? nowAgents : [];
      yield {
        update: {
          $case: 'delta',
          delta: {
            sweep: queries.sweep(sweepId),
            trials: changed.slice(0, TRIALS_PER_MESSAGE),
            events,
            agents: deltaAgents,
          },
        },
      };
      yield* furtherTrials(changed);
    }
  } finally {
    unsubscribe();
  }
}

/** The trials that the first message had no room for. */
function* furtherTrials(trials: readonly Trial[]): Generator<WatchResponse> {
  for (let at = TRIALS_PER_MESSAGE; at < trials.length; at += TRIALS_PER_MESSAGE) {
    const delta = { sweep: undefined, trials: trials.slice(at, at + TRIALS_PER_MESSAGE), events: [], agents: [] };
    yield { update: { $case: 'delta', delta } };
  }
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

  drain(): { trialIds: Set<string>; events: Event[] } {
    if (this.#overflowed) throw new OverloadedError(`more than ${WATCH_BACKLOG} events were not read: watch again`);
    const drained = { trialIds: this.#trialIds, events: this.#events };
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
