import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ProgramStart } from '../../proto/gen/trawl/v1/types.ts';
import { agentHello, LEASE_MS, PLAIN_POLICY } from '../../test/support/coordinator/sample-core.ts';
import { changeWriter, insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import { onHello } from '../core/agents.ts';
import { onRecord } from '../core/attempt-records.ts';
import { onOpen } from '../core/attempts.ts';
import { schedule } from '../core/scheduler.ts';
import { loadCore } from './load.ts';
import { openStore } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';
import type { TransactionResult } from './write-events.ts';

const START: ProgramStart = {
  command: ['python3', 'train.py', '--lr=0.1'],
  interpreter: '/usr/bin/python3',
  python: '',
  packages: '',
  attempt: 0,
};

test('equal lists of packages are stored once, and a restart does not change the next expected record number of an attempt', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-programs-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const db = openStore(dir);
  const sweep = {
    requestId: 'r',
    name: 's',
    fingerprint: 'f',
    fileName: 's',
    text: '',
    trainer: 'noop',
    metric: 'm',
    goal: 'minimize',
    axes: [],
    configs: 3,
    replicates: 1,
    excluded: 0,
    priority: 0,
    policy: PLAIN_POLICY,
  };
  const trials = ['t0', 't1', 't2'].map((trialId, index) => ({
    trialId,
    configId: trialId,
    index,
    seed: 0,
    parameters: {},
  }));
  insertSweep(db, sweep, trials, 1);
  const write = changeWriter(db);
  const written: TransactionResult = { events: [], dropped: [] };
  let core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 10 });
  onHello(core, agentHello('a', 'a1', 3), 10);
  const queries = new Queries(new SqliteReader(db));
  const send = (trialId: string, seq: number, more: Partial<ProgramStart>) => {
    const key = { sweepId: '1', trialId, attempt: 1 };
    const record = { kind: 'program', key, seq, at: 1, program: { ...START, ...more } } as const;
    const { step, answer } = onRecord(core, { agentId: 'a', record }, 20);
    for (const change of step.changes) write(change, 20, written);
    return answer.result;
  };
  for (const [slot, trialId] of ['t0', 't1', 't2'].entries()) {
    const key = { sweepId: '1', trialId, attempt: 1 };
    const steps = [schedule(core, 10), onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot }, 10).step];
    for (const change of steps.flatMap(({ changes }) => changes)) write(change, 10, written);
    expect(send(trialId, 1, {})).toBe('accepted');
  }
  expect(await queries.attempts.programs('1', 't0')).toEqual([{ ...START, attempt: 1 }]);
  expect(await queries.sweeps.environments('1', 10)).toEqual([]);

  core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: 10 });
  onHello(core, agentHello('a', 'a1', 3), 10);
  expect(send('t0', 1, { packages: 'stale' })).toBe('duplicate');
  for (const trialId of ['t0', 't1']) send(trialId, 2, { python: '3.12.4', packages: 'numpy==1\ntorch==2' });
  send('t2', 2, { python: '3.11.0', packages: 'numpy==2' });
  expect(await queries.attempts.programs('1', 't1')).toEqual([
    { ...START, attempt: 1, python: '3.12.4', packages: 'numpy==1\ntorch==2' },
  ]);
  expect(await queries.sweeps.environments('1', 10)).toMatchObject([
    { python: '3.12.4', packages: 'numpy==1\ntorch==2', agents: ['a'], attempts: 2 },
    { python: '3.11.0', packages: 'numpy==2', agents: ['a'], attempts: 1 },
  ]);
  expect(db.prepare('select count(*) as n from environments').get()).toMatchObject({ n: 2 });
});
