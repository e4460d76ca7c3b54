import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database as Db } from 'libsql';
import { expect, onTestFinished, test } from 'vitest';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { agentHello, LEASE_MS, PLAIN_POLICY } from '../../test/support/coordinator/sample-core.ts';
import { changeWriter, insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import { onHello } from '../core/agents.ts';
import { onRecord } from '../core/attempt-records.ts';
import { onOpen } from '../core/attempts.ts';
import { schedule } from '../core/scheduler.ts';
import type { Step } from '../core/step.ts';
import { onTick } from '../core/tick.ts';
import { loadCore } from './load.ts';
import { openStore } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';
import type { TransactionResult } from './write-events.ts';

test('the durations, the stragglers and the warning about stragglers survive a restart, and each straggler causes one event', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-stragglers-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const db = openStore(dir);
  const { write, written, keys } = addTrials(db, 7);
  let now = 1_000;
  let core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now });
  const take = ({ changes }: Step) => {
    for (const change of changes) write(change, now, written);
  };
  const connect = () => {
    onHello(core, agentHello('a', 'a1', 7), now);
    for (const lease of core.leases.values()) lease.expiresAt = Number.POSITIVE_INFINITY;
  };
  const restart = async () => {
    core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now });
    connect();
  };
  const succeed = (key: AttemptKey) => {
    const record = { kind: 'ended', key, seq: 1, at: now, end: { outcome: 'succeeded' } } as const;
    take(onRecord(core, { agentId: 'a', record }, now).step);
  };
  const tick = () => {
    connect();
    take(onTick(core, now));
  };
  connect();
  take(schedule(core, now));
  for (const [slot, key] of keys.entries()) {
    take(onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot }, now).step);
  }
  connect();
  now += 10_000;
  for (const key of keys.slice(0, 5)) succeed(key);
  const before = core.sweeps.get('1')?.durations;
  await restart();
  expect(core.sweeps.get('1')?.durations).toEqual(before);
  now += 20_000;
  tick();
  const stragglers = () => written.events.filter(({ kind }) => kind === 'straggler');
  expect(stragglers().map(({ trialId, attempt }) => [trialId, attempt])).toEqual([
    ['t5', 1],
    ['t6', 1],
  ]);
  const shown = (await new Queries(new SqliteReader(db)).sweeps.get('1')).warnings;
  expect(shown).toMatchObject([{ kind: 'WARNING_KIND_STRAGGLER', count: 2, sinceMs: now }]);
  await restart();
  now += 2 * LEASE_MS;
  tick();
  expect(stragglers()).toHaveLength(2);
  expect((await new Queries(new SqliteReader(db)).sweeps.get('1')).warnings).toEqual(shown);
  for (const key of keys.slice(5)) succeed(key);
  expect((await new Queries(new SqliteReader(db)).sweeps.get('1')).warnings).toEqual([]);
});

test('after a restart, the durations of a sweep exclude the time that attempts waited for their slots', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-durations-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const db = openStore(dir);
  const { write, written, keys } = addTrials(db, 3);
  let now = 1_000;
  const core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now });
  const take = ({ changes }: Step) => {
    for (const change of changes) write(change, now, written);
  };
  onHello(core, agentHello('a', 'a1', 1), now);
  take(schedule(core, now));
  // The third trial keeps the sweep running.
  for (const key of keys.slice(0, 2)) {
    take(onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: 0 }, now).step);
  }
  for (const [key, ms] of [
    [keys[0], 900],
    [keys[1], 5],
  ] as const) {
    assert.ok(key);
    now += ms;
    const record = { kind: 'ended', key, seq: 1, at: now, end: { outcome: 'succeeded' } } as const;
    take(onRecord(core, { agentId: 'a', record }, now).step);
  }
  const durations = core.sweeps.get('1')?.durations;
  expect(durations?.ofSweep.map(({ durationMs }) => durationMs)).toEqual([900, 5]);
  const loaded = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now });
  expect(loaded.sweeps.get('1')?.durations).toEqual(durations);
});

/** Adds a sweep of trials with the same parameters and different seeds. */
function addTrials(db: Db, replicates: number) {
  const trials = Array.from({ length: replicates }, (_, index) => {
    return { trialId: `t${index}`, configId: 'c', index, seed: index, parameters: {} };
  });
  const sweep = { requestId: 'r', name: 's', fingerprint: 'f', fileName: 's', text: '', trainer: 'noop' };
  const counts = { metric: 'm', goal: 'minimize', axes: [], configs: 1, replicates, excluded: 0, priority: 0 };
  insertSweep(db, { ...sweep, policy: PLAIN_POLICY, ...counts }, trials, 1);
  const written: TransactionResult = { events: [], dropped: [] };
  const keys = trials.map(({ trialId }) => ({ sweepId: '1', trialId, attempt: 1 }));
  return { write: changeWriter(db), written, keys };
}
