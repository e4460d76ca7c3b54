import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { agentHello, LEASE_MS, PLAIN_POLICY } from '../../test/support/coordinator/sample-core.ts';
import { changeWriter, insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import { onHello } from '../core/agents.ts';
import { type AttemptRecord, onRecord } from '../core/attempt-records.ts';
import { onOpen } from '../core/attempts.ts';
import { schedule } from '../core/scheduler.ts';
import { loadCore } from './load.ts';
import { openStore } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';
import type { TransactionResult } from './write-events.ts';

async function coordinator(trials: number, metric: string) {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-warnings-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const db = openStore(dir);
  const policy = {
    ...PLAIN_POLICY,
    trainer: 'command',
    ranking: { metric, goal: 'maximize' as const, at: 'last' as const },
  };
  const sweep = {
    requestId: 'r',
    name: 's',
    fingerprint: 'f',
    fileName: 's',
    text: '',
    trainer: 'command',
    metric,
    policy,
    goal: 'maximize',
    axes: [],
    configs: trials / 2,
    replicates: 2,
    excluded: 0,
    priority: 0,
  };
  const rows = Array.from({ length: trials }, (_, index) => {
    return { trialId: `t${index}`, configId: `c${index >> 1}`, index, seed: index % 2, parameters: {} };
  });
  insertSweep(db, sweep, rows, 1);
  const write = changeWriter(db);
  const written: TransactionResult = { events: [], dropped: [] };
  let core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 10 });
  const connect = () => onHello(core, agentHello('a', 'a1', trials), 10);
  connect();
  return {
    queries: new Queries(new SqliteReader(db)),
    events: written.events,
    loaded: () => core.sweeps.get('1'),
    async restart() {
      core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 10 });
      connect();
    },
    run(trialId: string): AttemptKey {
      const key = { sweepId: '1', trialId, attempt: 1 };
      const steps = [schedule(core, 10), onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: 0 }, 10).step];
      for (const change of steps.flatMap(({ changes }) => changes)) write(change, 10, written);
      return key;
    },
    send(record: AttemptRecord) {
      const { step, answer } = onRecord(core, { agentId: 'a', record }, 20);
      for (const change of step.changes) write(change, 20, written);
      return answer;
    },
  };
}

const report = (key: AttemptKey, seq: number, metrics: Record<string, number>): AttemptRecord => {
  return { kind: 'report', key, seq, at: 0, epoch: seq, metrics };
};
const succeeded = (key: AttemptKey, seq: number): AttemptRecord => {
  return { kind: 'ended', key, seq, at: 0, end: { outcome: 'succeeded' } };
};

test('warnings, and the counts from which they are derived, survive a restart after each record', async () => {
  const { run, send, restart, queries, events, loaded } = await coordinator(8, 'val_accuracy');
  for (const [i, value] of [0.5, 0.5, 0.6, 0.7, 0.8].entries()) {
    const key = run(`t${i}`);
    send(report(key, 1, { val_acc: value, 'constructor.x': 1 }));
    await restart();
    send(succeeded(key, 2));
    await restart();
  }
  expect(await queries.sweeps.get('1')).toMatchObject({
    state: 'SWEEP_STATE_PAUSED',
    reason:
      'the first 5 trials ended without metric "val_accuracy"; reported: val_acc, constructor.x; did you mean "val_acc"?',
    warnings: [
      {
        kind: 'WARNING_KIND_IDENTICAL_REPLICATES',
        message: 'all 2 replicates of config c0 have identical results: the program probably ignores its seed',
        count: 1,
        sinceMs: 20,
      },
      { kind: 'WARNING_KIND_MISSING_METRIC', count: 5, sinceMs: 20 },
    ],
  });
  expect(events.filter(({ kind }) => kind === 'warning').map(({ detail }) => detail.split(':')[0])).toEqual([
    'missing_metric',
    'identical_replicates',
  ]);
  expect(loaded()?.warnings.lacking).toBe(5);
});

test('a removed warning does not return after a restart, and the removal is recorded as an event', async () => {
  const { run, send, restart, queries, events } = await coordinator(2, 'val');
  const key = run('t0');
  for (const seq of [1, 2, 3]) send(report(key, seq, { train: seq }));
  await restart();
  expect((await queries.sweeps.get('1')).warnings).toMatchObject([{ kind: 'WARNING_KIND_MISSING_METRIC', count: 1 }]);
  send(report(key, 4, { val: 1 }));
  await restart();
  expect((await queries.sweeps.get('1')).warnings).toEqual([]);
  expect(events.map(({ kind }) => kind)).toContain('warning removed');
});

test('for each attempt, only the newest notice of each kind is stored, and the next expected record number survives a restart', async () => {
  const { run, send, restart, queries } = await coordinator(2, 'val');
  const [first, second] = [run('t0'), run('t1')];
  const notice = (key: AttemptKey, seq: number, count: number): AttemptRecord => {
    return { kind: 'notice', key, seq, at: 0, warning: 'unreadable_reports', message: `${count} lines`, count };
  };
  expect(send(notice(first, 1, 3))).toEqual({ result: 'accepted' });
  await restart();
  expect(send(notice(first, 1, 3))).toEqual({ result: 'duplicate' });
  expect(send(notice(first, 3, 9))).toEqual({ result: 'gap', expected: 2 });
  send(notice(first, 2, 4));
  await restart();
  send(notice(second, 1, 5));
  expect((await queries.sweeps.get('1')).warnings).toEqual([
    { kind: 'WARNING_KIND_UNREADABLE_REPORTS', message: 'trial t1: 5 lines', count: 9, sinceMs: 20 },
  ]);
});

test.each([
  [[0.5, 1], 1],
  [[0.6, 1], 0],
])('even after restarts, the curves of two replicates are compared (second curve: %j)', async (values, warnings) => {
  const { run, send, restart, queries } = await coordinator(2, 'acc');
  for (const [trial, curve] of [
    ['t0', [0.5, 1]],
    ['t1', values],
  ] as const) {
    const key = run(trial);
    for (const [index, acc] of curve.entries()) {
      send(report(key, index + 1, { acc }));
      await restart();
    }
    send(succeeded(key, 3));
    await restart();
  }
  expect((await queries.sweeps.get('1')).warnings).toHaveLength(warnings);
});
