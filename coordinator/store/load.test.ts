import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from 'libsql';
import { expect, onTestFinished, test } from 'vitest';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { agentHello, emptyCore, LEASE_MS, PLAIN_POLICY } from '../../test/support/coordinator/sample-core.ts';
import { changeWriter, insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import {
  countProgram,
  countReport,
  MAX_ATTEMPT_REPORT_CHARACTERS,
  MAX_REPORTED_METRICS,
  receivedBefore,
} from '../core/agent-limits.ts';
import { onHeartbeat, onHello } from '../core/agents.ts';
import { type AttemptRecord, onRecord } from '../core/attempt-records.ts';
import { onOpen } from '../core/attempts.ts';
import { onDrain, remainingGraceMs } from '../core/drain.ts';
import { packMatesOf } from '../core/leases.ts';
import { onDisconnect } from '../core/past-agents.ts';
import { schedule } from '../core/scheduler.ts';
import type { Change } from '../core/step.ts';
import { onTick } from '../core/tick.ts';
import { loadCore } from './load.ts';
import { loadAgents } from './load-agents.ts';
import { openStore } from './open.ts';
import { SqliteReader } from './reader.ts';

const DAY_MS = 86_400_000;

function newStore(): Database {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-load-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return openStore(dir);
}

function write(db: Database, changes: readonly Change[], at: number): void {
  const writer = changeWriter(db);
  for (const change of changes) writer(change, at, { events: [], dropped: [] });
}

test('after a restart, an agent that was connected is lost, an agent that had left still counts as left, and both keep their facts', async () => {
  const db = newStore();
  const core = emptyCore();
  const hello = { ...agentHello('gone', 'i', 3), host: 'gpu-7', version: '1.2.3', gpus: ['H100'] };
  write(db, onHello(core, hello, 1_000).changes, 1_000);
  write(db, onHello(core, agentHello('done', 'i', 1), 2_000).changes, 2_000);
  write(db, onHeartbeat(core, { agentId: 'done', incarnation: 'i', held: [], leaving: true }, 3_000).changes, 3_000);
  write(db, onDisconnect(core, { agentId: 'done', incarnation: 'i' }).changes, 3_000);
  const loaded = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 9_000 });
  expect(loaded.agents.size).toBe(0);
  expect(loaded.pastAgents.get('gone')).toMatchObject({
    ...{ host: 'gpu-7', version: '1.2.3', slots: 3, gpus: ['H100'], state: 'lost', instance: 'gone', location: 'here' },
    ...{ connectedAt: 1_000, lastHeardAt: 1_000 },
  });
  expect(loaded.pastAgents.get('done')).toMatchObject({ state: 'left', lastHeardAt: 3_000 });
  onHello(loaded, hello, 10_000);
  expect([...loaded.pastAgents.keys()]).toEqual(['done']);
  write(db, [{ kind: 'agent', agentId: 'done', facts: undefined }], 11_000);
  expect([...(await loadAgents(new SqliteReader(db))).keys()]).toEqual(['gone']);
});

test.each([
  ['set back by a day', -DAY_MS],
  ['set forward by a day', DAY_MS],
])(
  'after a restart, a drain keeps its remaining grace period, even if the clock was %s meanwhile',
  async (_, jumpMs) => {
    const db = newStore();
    const core = emptyCore();
    write(db, onDrain(core, { agentId: 'a', graceMs: 90_000, reason: 'new driver' }, DAY_MS).changes, DAY_MS);
    for (let now = DAY_MS; now <= DAY_MS + 60_000; now += 250) write(db, onTick(core, now).changes, now);
    const restartedAt = DAY_MS + 61_000 + jumpMs;
    const loaded = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: restartedAt });
    expect(remainingGraceMs(loaded, 'a', restartedAt)).toBe(30_000);
    expect(remainingGraceMs(loaded, 'a', restartedAt + 30_000)).toBe(0);
    expect(loaded.drains.get('a')?.reason).toBe('new driver');
  },
);

test('packs granted to one slot in the same millisecond remain separate after a restart', async () => {
  const db = newStore();
  const trials = ['t0', 't1', 't2', 't3'];
  const sweep = { requestId: 'r', name: 's', fingerprint: 'f', fileName: 's', text: '', trainer: 'noop' };
  const more = {
    metric: 'm',
    goal: 'minimize',
    axes: [],
    configs: 4,
    replicates: 1,
    excluded: 0,
    policy: PLAIN_POLICY,
    priority: 0,
  };
  const rows = trials.map((trialId, index) => ({ trialId, configId: 'c', index, seed: 0, parameters: {} }));
  const sweepId = insertSweep(db, { ...sweep, ...more }, rows, 1);
  const granted = (trialId: string, pack: string): Change => ({
    ...{ kind: 'granted', key: { sweepId, trialId, attempt: 1 }, agentId: 'a', incarnation: 'a1', slot: 0, pack },
    ...{ backend: 'wasm', gpus: 0, resumedFrom: 0, speculative: false },
  });
  write(db, [granted('t0', 'p'), granted('t1', 'p'), granted('t2', 'q'), granted('t3', 'q')], 5);
  const mates = new Map<string, string[]>();
  const core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 10 });
  for (const lease of core.leases.values()) {
    mates.set(
      lease.key.trialId,
      packMatesOf(core, lease).map(({ key }) => key.trialId),
    );
  }
  expect(mates).toEqual(
    new Map([
      ['t0', ['t1']],
      ['t1', ['t0']],
      ['t2', ['t3']],
      ['t3', ['t2']],
    ]),
  );
});

const MINUTE = 60_000;

function runningProgram(db: Database): string {
  const policy = { ...PLAIN_POLICY, trainer: 'command' };
  const sweep = { requestId: 'r', name: 's', fingerprint: 'f', fileName: 's', text: '', trainer: 'command', policy };
  const more = { metric: 'm', goal: 'minimize', axes: [], configs: 1, replicates: 1, excluded: 0, priority: 0 };
  const rows = [{ trialId: 't0', configId: 'c', index: 0, seed: 0, parameters: {} }];
  const sweepId = insertSweep(db, { ...sweep, ...more }, rows, 1);
  const attempt = { key: { sweepId, trialId: 't0', attempt: 1 }, agentId: 'a', incarnation: 'a1', slot: 0, pack: 'p' };
  write(db, [{ kind: 'granted', ...attempt, backend: 'wasm', gpus: 0, resumedFrom: 0, speculative: false }], 1);
  return sweepId;
}

test('a program that was silent before a restart causes a warning one lease duration after the restart, not immediately', async () => {
  const db = newStore();
  const sweepId = runningProgram(db);
  const core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 6 * MINUTE });
  expect(onTick(core, 6 * MINUTE).changes).toEqual([]);
  core.listeningSince -= LEASE_MS;
  expect(onTick(core, 6 * MINUTE).changes).toMatchObject([{ kind: 'warning', warning: 'silent', appeared: true }]);
  expect(core.sweeps.get(sweepId)?.warnings.shown.get('silent')?.message).toContain('within 5m00s of its start');
});

test('the longest interval between reports of a running attempt is restored after a restart', async () => {
  const db = newStore();
  const sweepId = runningProgram(db);
  const key = { sweepId, trialId: 't0', attempt: 1 };
  const report = (seq: number, at: number): Change => ({ kind: 'report', key, seq, at, epoch: seq, metrics: { m: 1 } });
  write(db, [report(1, MINUTE), report(2, 5 * MINUTE)], 5 * MINUTE);
  for (const [now, isSilent] of [
    [16 * MINUTE, false],
    [18 * MINUTE, true],
  ] as const) {
    const core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now });
    core.listeningSince -= LEASE_MS;
    expect(onTick(core, now).changes.some(({ kind }) => kind === 'warning')).toBe(isSilent);
  }
});

test('after a restart, the warning about a silent program is still shown, and keeps the time when it appeared', async () => {
  const db = newStore();
  const sweepId = runningProgram(db);
  const core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 6 * MINUTE });
  core.listeningSince -= LEASE_MS;
  write(db, onTick(core, 6 * MINUTE).changes, 6 * MINUTE);
  const restarted = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 7 * MINUTE });
  expect(restarted.sweeps.get(sweepId)?.warnings.silent.size).toBe(1);
  restarted.listeningSince -= LEASE_MS;
  expect(onTick(restarted, 7 * MINUTE).changes).toEqual([]);
  expect(restarted.sweeps.get(sweepId)?.warnings.shown.get('silent')?.since).toBe(6 * MINUTE);
});

test('after a restart during a trial, records from before the restart count against the limits of the attempt', async () => {
  const db = newStore();
  const trial = { trialId: 't0', configId: 'c', index: 0, seed: 0, parameters: {} };
  const sweep = { requestId: 'r', name: 's', fingerprint: 'f', fileName: 's', text: '', trainer: 'noop' };
  const counts = { metric: 'loss', goal: 'minimize', axes: [], configs: 1, replicates: 1, excluded: 0, priority: 0 };
  insertSweep(db, { ...sweep, ...counts, policy: PLAIN_POLICY }, [trial], 1);
  const key = { sweepId: '1', trialId: 't0', attempt: 1 };
  let core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 1_000 });
  let seq = 0;
  const send = (body: object) => {
    const record = { key, seq: ++seq, at: 1_000, ...body } as AttemptRecord;
    const { step, answer } = onRecord(core, { agentId: 'a', record }, 1_000);
    write(db, step.changes, 1_000);
    return answer.result;
  };
  const restart = async () => {
    const before = core.leases.get(keyText(key))?.received;
    core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 1_000 });
    onHello(core, agentHello('a', 'i', 1), 1_000);
    return { before, after: core.leases.get(keyText(key))?.received };
  };
  await restart();
  write(db, schedule(core, 1_000).changes, 1_000);
  const { step, answer } = onOpen(core, { key, agentId: 'a', incarnation: 'i', slot: 0 }, 1_000);
  expect(answer.granted).toBe(true);
  write(db, step.changes, 1_000);
  const program = { attempt: 1, command: ['python'], interpreter: '', python: '', packages: '' };
  for (let round = 1; round <= 3; round++) {
    expect(send({ kind: 'log', text: 'x'.repeat(1_000_000) })).toBe('accepted');
    const metrics = { [`loss ${round}`]: 1 / round, 'a "quoted" name': -1e-300, nothing: Number.NaN };
    expect(send({ kind: 'report', epoch: round, metrics })).toBe('accepted');
    expect(send({ kind: 'report', epoch: round, metrics: {} })).toBe('accepted');
    const { before, after } = await restart();
    expect(after).toEqual(before);
  }
  expect(send({ kind: 'program', program })).toBe('accepted');
  await restart();
  expect(send({ kind: 'program', program: { ...program, packages: 'torch==2' } })).toBe('accepted');
  await restart();
  expect(send({ kind: 'log', text: 'x'.repeat(1_000_000) })).toBe('accepted');
  await restart();
  expect(send({ kind: 'log', text: 'x' })).toBe('exceeded');
  expect(core.sweeps.get('1')?.trials.get('t0')).toMatchObject({ state: 'failed', failure: 'rejected' });
});

test.each(['reports', 'metrics', 'programs'] as const)(
  'the limit on the %s of an attempt is enforced after a restart',
  (limit) => {
    const all = {
      logCharacters: 0,
      reports: 1,
      metricCharacters: 2,
      metrics: [] as string[],
      program: 'none',
    } as const;
    const received = receivedBefore({
      ...all,
      ...(limit === 'reports' && { metricCharacters: MAX_ATTEMPT_REPORT_CHARACTERS - 200 }),
      ...(limit === 'metrics' && { metrics: Array.from({ length: MAX_REPORTED_METRICS }, (_, at) => `m${at}`) }),
      ...(limit === 'programs' && { program: 'with packages' }),
    });
    const reason = limit === 'programs' ? countProgram({ received }) : countReport({ received }, { loss: 1 });
    expect(reason).toMatch(limit === 'programs' ? /program records/ : limit === 'metrics' ? /2000 metrics/ : /256/);
  },
);
