import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OverloadedError } from '../../proto/errors.ts';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { Agent } from '../../proto/gen/trawl/v1/types.ts';
import { newFolder, noopSweep, type Served, serve } from '../../test/support/coordinator/serve.ts';
import { sweepControl } from '../app/sweep-control.ts';
import type { Change } from '../core/step.ts';
import { WATCH_BACKLOG } from './limits.ts';
import { AgentListCache, EVENTS_PER_MESSAGE, watchMessages } from './watch.ts';

const TRIALS = 2 * EVENTS_PER_MESSAGE + 1;

let served: Served;
let sweepId: string;
beforeEach(async () => {
  served = await serve(newFolder());
  sweepId = await sweepControl(served.runtime).submit({
    fileName: 's',
    text: noopSweep(TRIALS),
    requestId: 'r',
    source: undefined,
  });
});
afterEach(() => served.stop());

const source = () => ({
  queries: served.runtime.queries,
  onCommit: served.runtime.onCommit.bind(served.runtime),
});

class Watcher {
  readonly rows = new Map<string, string>();
  readonly events: number[] = [];
  kinds: (string | undefined)[] = [];
  since = 0;

  take({ update }: WatchResponse): void {
    this.kinds.push(update?.$case);
    const part = update?.$case === 'snapshot' ? update.snapshot : update?.delta;
    for (const { id, state } of part?.trials ?? []) this.rows.set(id, state);
    if (update?.$case === 'delta') this.events.push(...update.delta.events.map(({ seq }) => seq));
    if (part !== undefined && !part.more) this.since = part.eventSeq;
  }

  /** Watches until the sweep has ended, or until the given number of messages has arrived. */
  async watch(messages = Number.POSITIVE_INFINITY): Promise<this> {
    this.kinds = [];
    const stream = watchMessages(
      source(),
      new AgentListCache(() => []),
      sweepId,
      this.since,
      new AbortController().signal,
    );
    if (messages === 0) return this;
    for await (const response of stream) {
      this.take(response);
      if (this.kinds.length === messages) break;
    }
    return this;
  }
}

const kill = () =>
  sweepControl(served.runtime).act(sweepId, { action: 'SWEEP_ACTION_KILL', reason: 'enough', priority: 0 }, '');
const stored = async () =>
  new Map((await served.runtime.queries.trials.all(sweepId)).map(({ id, state }) => [id, state as string]));
const storedEvents = async (since: number) =>
  (await served.runtime.queries.sweeps.eventsAfter(sweepId, since, 100_000)).map((e) => e.seq);

test('the first message of a watch is a snapshot, and the trials that do not fit in it are sent as deltas', async () => {
  const watcher = await new Watcher().watch(2);
  expect(watcher.kinds).toEqual(['snapshot', 'delta']);
  expect(watcher.since).toBe(0);
  const whole = await new Watcher().watch(3);
  expect(whole.rows).toEqual(await stored());
  expect(whole.since).toBe(await served.runtime.queries.sweeps.lastEvent());
});

test('after a reconnect, a watch sends every missed event and changed row, and no snapshot', async () => {
  const watcher = await new Watcher().watch(3);
  const left = watcher.since;
  await kill();
  await watcher.watch();
  expect(watcher.kinds).not.toContain('snapshot');
  expect(watcher.events).toEqual(await storedEvents(left));
  expect(watcher.rows).toEqual(await stored());
  expect(new Set(watcher.rows.values())).toEqual(new Set(['TRIAL_STATE_CANCELLED']));
});

test('if a watcher reconnects while it catches up, it misses no event and receives none twice', async () => {
  const watcher = await new Watcher().watch(3);
  const left = watcher.since;
  await kill();
  for (let breaks = 0; breaks < 3; breaks++) await watcher.watch(1);
  await watcher.watch();
  expect(watcher.events).toEqual(await storedEvents(left));
  expect(watcher.rows).toEqual(await stored());
});

test('an event that occurs while a watcher catches up is sent exactly once', async () => {
  const watcher = await new Watcher().watch(3);
  const left = watcher.since;
  const control = sweepControl(served.runtime);
  await control.act(sweepId, { action: 'SWEEP_ACTION_PAUSE', reason: 'a', priority: 0 }, 'ann@desk');
  for await (const response of watchMessages(
    source(),
    new AgentListCache(() => []),
    sweepId,
    watcher.since,
    new AbortController().signal,
  )) {
    watcher.take(response);
    if (watcher.events.length === 1) await kill();
  }
  expect(watcher.events).toEqual(await storedEvents(left));
  expect(watcher.rows).toEqual(await stored());
});

test('an event that is stored just before the events are read for the catch-up is sent exactly once', async () => {
  const watcher = await new Watcher().watch(3);
  const left = watcher.since;
  const control = sweepControl(served.runtime);
  await control.act(sweepId, { action: 'SWEEP_ACTION_PAUSE', reason: 'a', priority: 0 }, 'ann@desk');
  const { queries, onCommit } = source();
  const { sweeps } = queries;
  let reads = 0;
  const changing = Object.create(sweeps, {
    eventsAfter: {
      value: async (...args: Parameters<typeof sweeps.eventsAfter>) => {
        reads += 1;
        if (reads === 1)
          await control.act(sweepId, { action: 'SWEEP_ACTION_PRIORITIZE', reason: '', priority: 1 }, 'ann@desk');
        return sweeps.eventsAfter(...args);
      },
    },
    get: { value: (id: string) => sweeps.get(id) },
    lastEvent: { value: () => sweeps.lastEvent() },
  }) as typeof sweeps;
  const agents = new AgentListCache(() => []);
  const { signal } = new AbortController();
  const delayed = { queries: { ...queries, sweeps: changing }, onCommit };
  for await (const response of watchMessages(delayed, agents, sweepId, left, signal)) {
    watcher.take(response);
    if (watcher.events.length === 2) await kill();
  }
  expect(reads).toBe(1);
  expect(watcher.events).toEqual(await storedEvents(left));
});

test('if the last event of a watcher is newer than every event in the store, the watcher receives a snapshot', async () => {
  const watcher = new Watcher();
  watcher.since = (await served.runtime.queries.sweeps.lastEvent()) + 1;
  await watcher.watch(1);
  expect(watcher.kinds).toEqual(['snapshot']);
});

test('a watcher that falls too far behind is disconnected, and resumes from its last event on reconnect', async () => {
  const { runtime } = served;
  const small = await sweepControl(runtime).submit({
    fileName: 's.yaml',
    text: noopSweep(1),
    requestId: 'small',
    source: undefined,
  });
  const [trial] = await runtime.queries.trials.all(small);
  const key = { sweepId: small, trialId: trial?.id ?? '', attempt: 1 };
  const watch = (since: number) =>
    watchMessages(source(), new AgentListCache(() => []), small, since, new AbortController().signal);
  const left = await runtime.queries.sweeps.lastEvent();
  const slow = watch(0);
  expect((await slow.next()).value).toMatchObject({ update: { $case: 'snapshot' } });
  const changes: Change[] = [];
  for (let epoch = 1; epoch <= WATCH_BACKLOG + 1; epoch++) {
    changes.push({ kind: 'report', key, seq: epoch, at: 5, epoch, metrics: { test_loss: epoch } });
  }
  await runtime.settle({ changes, outputs: [] });
  await expect(slow.next()).rejects.toThrow(OverloadedError);

  const watcher = new Watcher();
  for await (const response of watch(left)) {
    watcher.take(response);
    expect(response).toMatchObject({ update: { delta: { trials: [{ epoch: WATCH_BACKLOG + 1 }] } } });
    if (watcher.since === (await runtime.queries.sweeps.lastEvent())) break;
  }
  expect(watcher.events).toHaveLength(WATCH_BACKLOG + 1);
});

test.each([
  [1, 100],
  [1_000, 2_000],
])('a list of %i agents is read at most once in %i ms', (count, intervalMs) => {
  vi.useFakeTimers();
  let reads = 0;
  const list = new AgentListCache(() => {
    reads += 1;
    return Array.from({ length: count }, (_, at) => Agent.fromPartial({ id: `a${at}` }));
  });
  expect(list.current().agents).toHaveLength(count);
  vi.advanceTimersByTime(intervalMs - 1);
  list.current();
  expect(reads).toBe(1);
  vi.advanceTimersByTime(1);
  list.current();
  expect(reads).toBe(2);
  vi.useRealTimers();
});
