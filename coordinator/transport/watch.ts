/**
 * Watches a sweep. Sends a snapshot, or the changes since the watcher's last event. Then sends the changes of each
 * commit.
 */
import { NotFoundError, OverloadedError } from '../../proto/errors.ts';
import type { WatchDelta, WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Agent, Event, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { isEnded } from '../core/model.ts';
import type { Commit } from '../store/journal.ts';
import type { Queries } from '../store/queries.ts';
import { AGENT_EVENTS } from '../store/write-events.ts';
import { WATCH_BACKLOG } from './limits.ts';
import { pagesOf, ROWS_PER_MESSAGE, TRIALS_PER_READ, trialBytes } from './pages.ts';

const WATCH_INTERVAL_MS = 100;
/**
 * The minimum interval between two reads of the agent list, in milliseconds per agent in the list. Heartbeats change
 * the list all the time, and each changed list is sent in full. With a fixed interval, the cost per second would grow
 * with the number of agents.
 */
const AGENT_LIST_MS_PER_AGENT = 2;
/** The maximum number of events in one message, each with a detail of up to about 4,000 characters. */
export const EVENTS_PER_MESSAGE = 250;

export interface WatchSource {
  readonly queries: Queries;
  readonly agents: () => Agent[];
  onCommit(listener: (commit: Commit) => void): () => void;
}

/**
 * Caches the list of agents, which is read at most once per interval for all watchers together. The interval grows with
 * the number of agents, to two seconds for 1,000 agents.
 */
export class AgentListCache {
  readonly #read: () => Agent[];
  #agents: readonly Agent[] = [];
  #text = '';
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(read: () => Agent[]) {
    this.#read = read;
  }

  /** Returns the agents, and a text that changes whenever an agent changes. */
  current(): { readonly agents: readonly Agent[]; readonly text: string } {
    const intervalMs = Math.max(WATCH_INTERVAL_MS, AGENT_LIST_MS_PER_AGENT * this.#agents.length);
    if (performance.now() - this.#readAt >= intervalMs) {
      this.#agents = this.#read();
      this.#text = JSON.stringify(this.#agents);
      this.#readAt = performance.now();
    }
    return { agents: this.#agents, text: this.#text };
  }
}

/**
 * Yields the messages of a watch. The iteration ends when the sweep has ended, or when the signal is aborted. `since`
 * is the sequence number of the last event that the watcher has received. If `since` is 0, or higher than the number of
 * the newest event, the watch begins with a snapshot. If `since` is -1, the watch begins with the first event.
 * @throws {OverloadedError} if the watcher falls behind; a new watch can continue from the last event that the watcher
 * received
 */
export async function* watchMessages(
  { queries, onCommit }: Pick<WatchSource, 'queries' | 'onCommit'>,
  agentList: AgentListCache,
  sweepId: string,
  since: number,
  signal: AbortSignal,
): AsyncGenerator<WatchResponse> {
  const pending = new PendingChanges(sweepId);
  const unsubscribe = onCommit((commit) => pending.add(commit));
  try {
    let sentUpTo: number;
    let lastAgents = '';
    if (since !== 0 && since <= (await queries.sweeps.lastEvent())) {
      sentUpTo = yield* catchUp(queries, sweepId, Math.max(0, since));
    } else {
      const { agents, text } = agentList.current();
      lastAgents = text;
      sentUpTo = await queries.sweeps.lastEvent();
      yield* snapshotOf(queries, sweepId, [...agents], sentUpTo);
    }
    // The sweep is not polled, because every change of its state is an event.
    let sweep = await queries.sweeps.get(sweepId);
    while (!isEnded(sweepState.of(sweep.state)) || pending.any) {
      await pending.wait(WATCH_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const { agents, text } = agentList.current();
      const agentsChanged = text !== lastAgents;
      lastAgents = text;
      if (!pending.any && !agentsChanged) continue;
      const drained = pending.drain();
      sweep = await queries.sweeps.get(sweepId);
      const { endedAtMs } = sweep;
      let changed = agentsChanged ? [...agents] : [];
      for (let at = 0; at === 0 || at < drained.length; at += EVENTS_PER_MESSAGE) {
        const part = drained.slice(at, at + EVENTS_PER_MESSAGE);
        const events = part.filter(({ seq, sweepId: of, atMs }) => {
          return seq > sentUpTo && (of !== AGENT_EVENTS || endedAtMs === 0 || atMs <= endedAtMs);
        });
        if (events.length === 0 && changed.length === 0) continue;
        sentUpTo = events.at(-1)?.seq ?? sentUpTo;
        yield* deltaOf(queries, trialsOf(part), { sweep, events, agents: changed, eventSeq: sentUpTo });
        changed = [];
      }
    }
  } finally {
    unsubscribe();
  }
}

/**
 * Sends every event after `since`, with the rows that each event changed. Sends at least one delta.
 * @returns the sequence number up to which all events were sent
 */
async function* catchUp(queries: Queries, sweepId: string, since: number): AsyncGenerator<WatchResponse, number> {
  let sentUpTo = since;
  for (;;) {
    const newest = await queries.sweeps.lastEvent();
    const events = await queries.sweeps.eventsAfter(sweepId, sentUpTo, EVENTS_PER_MESSAGE);
    const all = events.length < EVENTS_PER_MESSAGE;
    // An event can become durable between the two reads, and is then newer than `newest`.
    const last = events.at(-1)?.seq ?? newest;
    sentUpTo = all ? Math.max(newest, last) : last;
    const sweep = await queries.sweeps.get(sweepId);
    yield* deltaOf(queries, trialsOf(events), { sweep, events, agents: [], eventSeq: sentUpTo });
    if (all) return sentUpTo;
  }
}

/**
 * Yields the snapshot of a sweep in several messages. Each page of rows is read when the previous page has been sent. A
 * row that changed after its page was read is sent again with the event of the change.
 */
async function* snapshotOf(
  queries: Queries,
  sweepId: string,
  agents: Agent[],
  eventSeq: number,
): AsyncGenerator<WatchResponse> {
  const sweep = await queries.sweeps.get(sweepId);
  let page = await queries.trials.after(sweepId, -1, ROWS_PER_MESSAGE);
  yield { update: { $case: 'snapshot', snapshot: { sweep, ...page, agents, eventSeq } } };
  while (page.more) {
    page = await queries.trials.after(sweepId, page.trials.at(-1)?.index ?? 0, ROWS_PER_MESSAGE);
    yield further(page.trials, eventSeq, page.more);
  }
}

async function* deltaOf(
  queries: Queries,
  trialIds: readonly string[],
  delta: Omit<WatchDelta, 'more' | 'trials'> & { readonly sweep: Sweep },
): AsyncGenerator<WatchResponse> {
  const pages = pagesOf(trialsInOrder(queries, delta.sweep.id, trialIds), trialBytes);
  const { value = [] } = await pages.next();
  const first: Trial[] = value;
  let sent = first.length;
  yield { update: { $case: 'delta', delta: { ...delta, trials: first, more: sent < trialIds.length } } };
  for await (const trials of pages) {
    sent += trials.length;
    yield further(trials, delta.eventSeq, sent < trialIds.length);
  }
}

/** @throws {NotFoundError} if a trial does not exist */
async function* trialsInOrder(
  queries: Queries,
  sweepId: string,
  ids: readonly string[],
): AsyncGenerator<Trial, void, void> {
  for (let at = 0; at < ids.length; at += TRIALS_PER_READ) {
    const read = ids.slice(at, at + TRIALS_PER_READ);
    const trials = new Map((await queries.trials.byIds(sweepId, read)).map((trial) => [trial.id, trial]));
    for (const id of read) {
      const trial = trials.get(id);
      if (trial === undefined) throw new NotFoundError(`sweep ${sweepId} has no trial ${id}`);
      yield trial;
    }
  }
}

/** Returns a message with further rows of the preceding snapshot or delta. */
function further(trials: Trial[], eventSeq: number, more: boolean): WatchResponse {
  return { update: { $case: 'delta', delta: { sweep: undefined, trials, events: [], agents: [], eventSeq, more } } };
}

function trialsOf(events: readonly Pick<Event, 'trialId'>[]): string[] {
  return [...new Set(events.map(({ trialId }) => trialId))].filter((id) => id !== '');
}

/** The events that have not been sent to a watcher yet. All watchers share the event objects. */
class PendingChanges {
  readonly #sweepId: string;
  #events: Commit['events'][number][] = [];
  #overflowed = false;

  constructor(sweepId: string) {
    this.#sweepId = sweepId;
  }

  get any(): boolean {
    return this.#overflowed || this.#events.length > 0;
  }

  add(commit: Commit): void {
    if (this.#overflowed) return;
    for (const event of commit.events) {
      if (event.sweepId === this.#sweepId || event.sweepId === AGENT_EVENTS) this.#events.push(event);
    }
    if (this.#events.length <= WATCH_BACKLOG) return;
    // The watcher has fallen too far behind, so the next `drain` throws an error.
    this.#overflowed = true;
    this.#events = [];
  }

  /** Returns and clears the gathered events. The catch-up may already have sent some of these events. */
  drain(): Event[] {
    if (this.#overflowed) throw new OverloadedError(`the watcher has not read ${WATCH_BACKLOG} events: watch again`);
    const events = this.#events.map(({ at: atMs, ...rest }) => ({ atMs, ...rest }));
    this.#events = [];
    return events;
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
