import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { RejectedError } from '../../proto/errors.ts';
import { collected } from '../../test/support/collected.ts';
import { insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import type { Change } from '../core/step.ts';
import { type Commit, Journal } from './journal.ts';
import { loadCore, loadSweep } from './load.ts';
import { loadTrials } from './load-trials.ts';
import { openStore } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';
import { trialReports } from './report-stream.ts';
import { SqliteStore } from './sqlite-store.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-store-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const SWEEP = {
  requestId: 'r1',
  name: 's',
  fingerprint: 'f',
  fileName: 's.yaml',
  text: '',
  trainer: 'noop',
  metric: 'test_loss',
  goal: 'minimize',
  axes: ['a'],
  policy: {
    trainer: 'noop',
    resources: { labels: {} },
    weight: 1,
    concurrency: undefined,
    retry: { oom: 1, crash: 2, timeout: 1, backoffMs: 0 },
    timeoutMs: undefined,
    maxFailed: undefined,
    checkpointEvery: 1,
    reconstructEvery: 4,
    command: [],
    ranking: { metric: 'm', goal: 'minimize' as const, at: 'last' as const },
    target: undefined,
    speculate: false,
    earlyTerminate: undefined,
    program: undefined,
  },
  configs: 2,
  replicates: 1,
  excluded: 0,
  priority: 0,
};
const trial = (index: number) => ({ trialId: `t${index}`, configId: 'c', index, seed: 0, parameters: { a: index } });
const key = { sweepId: '1', trialId: 't0', attempt: 1 };
const UNUSED = { leasedMs: 0, used: undefined };
const granted: Change = {
  kind: 'granted',
  gpus: 0,
  key,
  agentId: 'a',
  incarnation: 'i',
  slot: 0,
  pack: 'p',
  backend: 'wasm',
  resumedFrom: 0,
  speculative: false,
};
const report = (seq: number): Change => ({
  kind: 'report',
  key,
  seq,
  at: 5,
  epoch: seq,
  metrics: { test_loss: 1 / seq, psnr: Number.NaN },
});

function filled() {
  const db = openStore(dir);
  insertSweep(db, SWEEP, [trial(0), trial(1)], 1);
  const commits: Commit[] = [];
  const journal = new Journal(new SqliteStore(db, ''), () => 7);
  journal.onCommit((commit) => commits.push(commit));
  return { db, commits, journal };
}

test('changes of one turn of the event loop share a transaction, and are stored when their promises resolve', async () => {
  const { db, commits, journal } = filled();
  await Promise.all([journal.commit([granted]), journal.commit([report(1)]), journal.commit([])]);
  expect(commits).toHaveLength(1);
  expect(await new Queries(new SqliteReader(db)).trials.get('1', 't0')).toMatchObject({
    attempts: 1,
    epoch: 1,
    metrics: { test_loss: 1 },
  });
  expect((await new Queries(new SqliteReader(db)).trials.get('1', 't0')).metrics.psnr).toBeNaN();
});

test('NaN, infinity and the largest numbers are stored, and only finite values count as extremes', async () => {
  const { db, journal } = filled();
  const metrics = {
    a: Number.NaN,
    b: Number.POSITIVE_INFINITY,
    c: Number.NEGATIVE_INFINITY,
    d: -Number.MAX_VALUE,
    'e"': 1e-300,
  };
  await journal.commit([granted]);
  await journal.commit([{ kind: 'report', key, seq: 1, at: 5, epoch: 1, metrics }]);
  const queries = new Queries(new SqliteReader(db));
  expect((await queries.trials.get('1', 't0')).metrics).toEqual(metrics);
  expect((await collected(trialReports(queries, '1', 't0'))).map((one) => one.metrics)).toEqual([metrics]);
  expect((await queries.attempts.extremes('1')).map(({ metric, least }) => [metric, least])).toEqual([
    ['d', -Number.MAX_VALUE],
    ['e"', 1e-300],
  ]);
});

test('a failed transaction is rolled back, and later changes are rejected', async () => {
  const { db, journal } = filled();
  await journal.commit([granted]);
  const failed = journal.commit([report(1), report(1)]);
  await expect(failed).rejects.toThrow();
  expect(await collected(trialReports(new Queries(new SqliteReader(db)), '1', 't0'))).toEqual([]);
  await expect(journal.commit([report(2)])).rejects.toThrow();
});

test('a starting coordinator loads the failures of trials, and the leases with their last record numbers', async () => {
  const { db, journal } = filled();
  await journal.commit([granted, report(1), { kind: 'log', key, seq: 2, at: 5, text: 'hello' }]);
  const running = await loadCore(new SqliteReader(db), { leaseMs: 1000, now: 50 });
  expect(running.leases.get('1/t0/1')).toMatchObject({ agentId: 'a', incarnation: 'i', lastSeq: 2, expiresAt: 1050 });
  expect(running.sweeps.get('1')?.counts).toMatchObject({ pending: 1, running: 1 });
  const failure = { class: 'crash', message: 'boom' } as const;
  await journal.commit([
    { kind: 'ended', key, end: { outcome: 'failed', failure }, early: false, free: false, ...UNUSED },
    { kind: 'trial', sweepId: '1', trialId: 't0', state: 'pending', detail: '', failure },
  ]);
  const waiting = await loadCore(new SqliteReader(db), { leaseMs: 1000, now: 50 });
  expect(waiting.leases.size).toBe(0);
  expect(waiting.sweeps.get('1')?.trials.get('t0')).toMatchObject({ attempts: 1, failures: { crash: 1 } });
});

test("a retry keeps the history, and resets the failure counts and the trial's result", async () => {
  const { db, journal } = filled();
  const failure = { class: 'oom', message: 'too large' } as const;
  const name = { sweepId: '1', trialId: 't0' };
  await journal.commit([
    granted,
    report(1),
    { kind: 'ended', key, end: { outcome: 'failed', failure }, early: false, free: false, ...UNUSED },
    { kind: 'trial', ...name, state: 'failed', detail: '', failure },
    { kind: 'sweep', sweepId: '1', state: 'finished', reason: '' },
  ]);
  const ended = await loadSweep(new SqliteReader(db), '1', 50);
  expect(ended.trials.has('t0')).toBe(false);
  expect(ended.counts).toMatchObject({ pending: 1, failed: 1 });
  expect(await loadTrials(new SqliteReader(db), ended, ['t0', 't1'], 50)).toMatchObject([
    { id: 't0', state: 'failed', failure: 'oom', failures: { oom: 1 } },
  ]);
  expect(ended.counts).toMatchObject({ pending: 1, failed: 1 });
  await journal.commit([
    { kind: 'sweep', sweepId: '1', state: 'running', reason: '' },
    { kind: 'retried', ...name, requestId: 'r', attempts: 1, failure: 'oom', resumesFrom: 0 },
  ]);
  const queries = new Queries(new SqliteReader(db));
  expect(await queries.sweeps.get('1')).toMatchObject({ state: 'SWEEP_STATE_RUNNING', endedAtMs: 0 });
  const { failure: none, ...trial } = await queries.trials.get('1', 't0');
  expect(none).toBeUndefined();
  expect(trial).toMatchObject({ state: 'TRIAL_STATE_PENDING', attempts: 1, epoch: 0, metrics: {}, endedAtMs: 0 });
  expect(await queries.attempts.all('1', 't0')).toMatchObject([{ number: 1, failure: { message: 'too large' } }]);
  expect(await collected(trialReports(queries, '1', 't0'))).toHaveLength(1);
  expect(await queries.trials.retried('r')).toMatchObject({ sweepId: '1', trials: 1 });
  expect(
    (await loadCore(new SqliteReader(db), { leaseMs: 1000, now: 50 })).sweeps.get('1')?.trials.get('t0'),
  ).toMatchObject({ attempts: 1, failures: {} });
});

test('a retry resumes from the checkpoint and keeps the metrics up to it, and a retry from scratch removes the checkpoint', async () => {
  const { db, commits, journal } = filled();
  const artifact = { name: 'checkpoint-1', kind: 'checkpoint', epoch: 1, size: 1, sha256: '' } as const;
  await journal.commit([granted, report(1), { kind: 'artifact', key, seq: 2, at: 5, artifact }, report(3)]);
  const retried = { kind: 'retried', sweepId: '1', trialId: 't0', attempts: 1, failure: undefined } as const;
  await journal.commit([{ ...retried, requestId: 'r1', resumesFrom: 1 }]);
  expect(await new Queries(new SqliteReader(db)).trials.get('1', 't0')).toMatchObject({
    epoch: 1,
    metrics: { test_loss: 1 },
  });
  await journal.commit([{ ...retried, requestId: 'r2', resumesFrom: 0 }]);
  expect(commits.at(-1)?.dropped).toEqual([{ key, name: 'checkpoint-1' }]);
  expect((await loadSweep(new SqliteReader(db), '1', 50)).trials.get('t0')?.checkpoint).toBeUndefined();
});

test("a clock that was set back while the coordinator was stopped does not extend an attempt's timeout", async () => {
  const { db, journal } = filled();
  await journal.commit([granted]);
  expect((await loadCore(new SqliteReader(db), { leaseMs: 1000, now: 50 })).leases.get('1/t0/1')?.grantedAt).toBe(7);
  expect((await loadCore(new SqliteReader(db), { leaseMs: 1000, now: 3 })).leases.get('1/t0/1')?.grantedAt).toBe(3);
});

test('a sweep that is submitted twice with the same request id is stored once', async () => {
  const { db } = filled();
  expect(insertSweep(db, SWEEP, [trial(0), trial(1)], 9)).toBe('1');
  expect(await new Queries(new SqliteReader(db)).sweeps.all()).toHaveLength(1);
});

test('a store in use is rejected', () => {
  openStore(dir);
  expect(() => openStore(dir)).toThrow(RejectedError);
});

test('a store written by a newer trawl is rejected', () => {
  const newer = new Database(join(dir, STORE_FILE));
  newer.exec('pragma user_version = 99');
  newer.close();
  expect(() => openStore(dir)).toThrow(/schema 99/);
});

test('reports of one step are merged, and each metric of a trial has the value of its highest step', async () => {
  const { db, journal } = filled();
  const reported = (seq: number, epoch: number, metrics: Record<string, number>): Change => {
    return { kind: 'report', key, seq, at: 5, epoch, metrics };
  };
  await journal.commit([
    granted,
    reported(1, 0, { train: 4 }),
    reported(2, 0.5, { train: 3, val: 9 }),
    reported(3, 0.5, { val: 8, constructor: 1 }),
    reported(4, 1, { train: 2 }),
    reported(5, 0, { late: 7 }),
  ]);
  const queries = new Queries(new SqliteReader(db));
  expect(await queries.trials.get('1', 't0')).toMatchObject({
    epoch: 1,
    metrics: { train: 2, val: 8, constructor: 1, late: 7 },
    metricSteps: { train: 1, val: 0.5, constructor: 0.5, late: 0 },
  });
  expect((await collected(trialReports(queries, '1', 't0'))).map(({ epoch, metrics }) => [epoch, metrics])).toEqual([
    [0, { train: 4, late: 7 }],
    [0.5, { train: 3, val: 8, constructor: 1 }],
    [1, { train: 2 }],
  ]);
  const failure = { class: 'lost', message: '' } as const;
  await journal.commit([
    { kind: 'ended', key, end: { outcome: 'failed', failure }, early: false, free: false, ...UNUSED },
    { ...granted, key: { ...key, attempt: 2 }, resumedFrom: 0.5 },
  ]);
  expect(await queries.trials.get('1', 't0')).toMatchObject({
    epoch: 0.5,
    metrics: { train: 3, val: 8, late: 7 },
    metricSteps: { train: 0.5, val: 0.5, late: 0 },
  });
});

test('with metric.at: best, the ranking metric keeps its best value and the step of this value', async () => {
  const db = openStore(dir);
  const ranking = { metric: 'loss', goal: 'minimize', at: 'best' } as const;
  insertSweep(db, { ...SWEEP, policy: { ...SWEEP.policy, ranking } }, [trial(0)], 1);
  const journal = new Journal(new SqliteStore(db, ''), () => 7);
  const changes = [3, 1, 2].map((loss, at): Change => {
    return { kind: 'report', key, seq: at + 1, at: 5, epoch: at + 1, metrics: { loss, other: loss } };
  });
  await journal.commit([granted, ...changes]);
  const found = await new Queries(new SqliteReader(db)).trials.get('1', 't0');
  expect(found).toMatchObject({ epoch: 3, metrics: { loss: 1, other: 2 }, metricSteps: { loss: 2, other: 3 } });
  expect((await new Queries(new SqliteReader(db)).sweeps.get('1')).metric).toMatchObject({ at: 'METRIC_AT_BEST' });
});

test('events name the user who caused them; until a sweep ends, its events include the events of agents', async () => {
  const db = openStore(dir);
  insertSweep(db, SWEEP, [trial(0)], 10);
  let now = 20;
  const journal = new Journal(new SqliteStore(db, ''), () => now);
  const facts = {
    ...{ instance: 'i', location: 'l', host: 'h', version: 'v', slots: 1, backend: 'wasm', gpus: [] },
    ...{ connectedAt: 1, lastHeardAt: 2 },
    state: 'lost' as const,
  };
  const lost = { kind: 'agent', agentId: 'a', facts, event: { kind: 'lost', detail: 'silent' } } as const;
  await journal.commit([{ kind: 'sweep', sweepId: '1', state: 'paused', reason: 'why not' }], 'ann@desk');
  await journal.commit([lost]);
  now = 30;
  await journal.commit([{ kind: 'sweep', sweepId: '1', state: 'killed', reason: '' }], 'bob@desk');
  now = 40;
  await journal.commit([lost]);
  const queries = new Queries(new SqliteReader(db));
  expect(
    (await queries.sweeps.eventsAfter('1', 0, 100)).map(({ kind, by, agentId, atMs }) => [kind, by, agentId, atMs]),
  ).toEqual([
    ['submitted', '', '', 10],
    ['sweep paused', 'ann@desk', '', 20],
    ['lost', '', 'a', 20],
    ['sweep killed', 'bob@desk', '', 30],
  ]);
  expect(await queries.sweeps.get('1')).toMatchObject({ stateBy: 'bob@desk', stateSinceMs: 30 });
});

test('the store keeps the user who submitted a sweep', async () => {
  const { db } = filled();
  const queries = new Queries(new SqliteReader(db));
  const id = insertSweep(db, { ...SWEEP, requestId: 'another' }, [trial(0)], 1, 'ann@gpu-1');
  expect((await queries.sweeps.get(id)).submittedBy).toBe('ann@gpu-1');
  expect(await queries.sweeps.eventsAfter(id, 0, 10)).toMatchObject([{ kind: 'submitted', by: 'ann@gpu-1' }]);
  expect((await queries.sweeps.get('1')).submittedBy).toBe('');
});

/** Returns a store whose transactions take `ms` milliseconds. `sizes` has the number of changes of each transaction. */
function slowStore(ms: number) {
  const sizes: number[] = [];
  const write = async (changes: readonly unknown[]) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    sizes.push(changes.length);
    return { events: [], dropped: [] };
  };
  return { sizes, write };
}

const aReport: Change = { kind: 'report', key, seq: 1, at: 0, epoch: 1, metrics: {} };

/**
 * Returns a journal whose last transaction took 20 ms. Changes that can wait are written 200 ms after the start of that
 * transaction, which is 180 ms after the return.
 */
async function journalAfter(store: ReturnType<typeof slowStore>): Promise<Journal> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const journal = new Journal(store, () => 0);
  const first = journal.commit([aReport]);
  await vi.advanceTimersByTimeAsync(20);
  await first;
  return journal;
}

test('changes that can wait share a transaction if the last transaction was slow', async () => {
  const store = slowStore(20);
  const journal = await journalAfter(store);
  const commits: Promise<void>[] = [];
  for (let at = 0; at < 3; at++) {
    commits.push(journal.commit([aReport], '', true));
    await vi.advanceTimersByTimeAsync(5);
  }
  await vi.advanceTimersByTimeAsync(200);
  await Promise.all(commits);
  expect(store.sizes).toEqual([1, 3]);
});

test.each([
  ['a change that cannot wait is written', [aReport]],
  ['an empty commit that cannot wait is resolved', []],
])('%s without a delay, with all changes before it', async (_, changes) => {
  const store = slowStore(20);
  const journal = await journalAfter(store);
  const done: string[] = [];
  void journal.commit([aReport], '', true).then(() => done.push('waiting'));
  void journal.commit(changes).then(() => done.push('urgent'));
  void journal.commit([aReport], '', true).then(() => done.push('later'));
  await vi.advanceTimersByTimeAsync(25);
  expect(done).toEqual(['waiting', 'urgent', 'later']);
  expect(store.sizes).toEqual([1, 2 + changes.length]);
});

test('an empty commit that can wait does not shorten the wait of earlier changes', async () => {
  const store = slowStore(20);
  const journal = await journalAfter(store);
  const done: string[] = [];
  void journal.commit([aReport], '', true).then(() => done.push('waiting'));
  void journal.commit([], '', true).then(() => done.push('empty'));
  await vi.advanceTimersByTimeAsync(195);
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(10);
  expect(done).toEqual(['waiting', 'empty']);
});

test.each([
  ['can wait', true],
  ['cannot wait', false],
])('an empty commit that %s resolves before later changes that can wait', async (_, canWait) => {
  const store = slowStore(20);
  const journal = await journalAfter(store);
  const empty = journal.commit([], '', canWait).then(() => store.sizes.length);
  const later = journal.commit([aReport], '', true);
  await vi.advanceTimersByTimeAsync(210);
  expect(await empty).toBe(1);
  await later;
  expect(store.sizes).toEqual([1, 1]);
});

test('a journal that is closed writes the changes that it has gathered, and begins no other write', async () => {
  const order: string[] = [];
  const write = async () => {
    order.push('changes');
    return { events: [], dropped: [] };
  };
  const journal = new Journal({ write }, () => 1);
  let end = () => {};
  const first = journal.between(
    () =>
      new Promise<void>((resolve) => {
        end = () => {
          order.push('first');
          resolve();
        };
      }),
  );
  const second = journal.between(async () => void order.push('second'));
  const committed = journal.commit([{ kind: 'sweep', sweepId: '1', state: 'paused' } as Change]);
  const closed = journal.close();
  end();
  await Promise.all([first, committed, closed]);
  await expect(second).rejects.toThrow('the coordinator is stopping');
  await expect(journal.between(async () => {})).rejects.toThrow('the coordinator is stopping');
  expect(order).toEqual(['first', 'changes']);
});

test.each([
  ['many changes arrive, changes are gathered for 4 ms', 20, [2]],
  ['few changes arrive, a change is written without a delay', 2, [1, 1]],
])('while %s', async (_, perCommit, sizes) => {
  const store = slowStore(1);
  const journal = await journalAfter(store);
  for (let commit = 0; commit < 6; commit++) {
    void journal.commit(Array.from({ length: perCommit }, () => aReport));
    await vi.advanceTimersByTimeAsync(4);
  }
  await vi.advanceTimersByTimeAsync(4);
  store.sizes.length = 0;
  void journal.commit([aReport]);
  await vi.advanceTimersByTimeAsync(3);
  void journal.commit([aReport]);
  await vi.advanceTimersByTimeAsync(20);
  expect(store.sizes).toEqual(sizes);
});
