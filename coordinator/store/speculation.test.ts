import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { currentAttempt } from '../../lib/domain/current-attempt.ts';
import { collected } from '../../test/support/collected.ts';
import { agentHello, LEASE_MS, PLAIN_POLICY, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { changeWriter, insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import { onHello } from '../core/agents.ts';
import type { FinalEnd } from '../core/attempt-model.ts';
import { type AttemptRecord, onRecord } from '../core/attempt-records.ts';
import { onOpen } from '../core/attempts.ts';
import { schedule } from '../core/scheduler.ts';
import type { Step } from '../core/step.ts';
import { onTick } from '../core/tick.ts';
import { loadCore } from './load.ts';
import { openStore } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';
import { trialCurve, trialReports } from './report-stream.ts';
import type { TransactionResult } from './write-events.ts';

const FIRST = { sweepId: '1', trialId: 't0', attempt: 1 };
const SECOND = { sweepId: '1', trialId: 't0', attempt: 2 };
const MODEL = { name: 'model', kind: 'model', epoch: 2, size: 1, sha256: '' } as const;

/**
 * Returns a coordinator that is restarted from its store after every step. Agent `a` runs trial `t0`. `speculate`
 * advances the clock so that the attempt on agent `a` is a straggler, and starts a second attempt on agent `b`.
 */
async function coordinator() {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-speculation-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const db = openStore(dir);
  const trials = Array.from({ length: 6 }, (_, index) => {
    return { trialId: `t${index}`, configId: 'c', index, seed: index, parameters: {} };
  });
  const ranking = { metric: 'loss', goal: 'minimize', at: 'best' } as const;
  const retry = { oom: 0, crash: 1, timeout: 0, backoffMs: 0 };
  const policy = { ...PLAIN_POLICY, trainer: 'command', speculate: true, ranking, retry };
  const sweep = { requestId: 'r', name: 's', fingerprint: 'f', fileName: 's', text: '', trainer: 'command', policy };
  const counts = { metric: 'loss', goal: 'minimize', axes: [], configs: 1, replicates: 6, excluded: 0, priority: 0 };
  insertSweep(db, { ...sweep, ...counts }, trials, 1);
  const written: TransactionResult = { events: [], dropped: [] };
  const write = changeWriter(db);
  const seqs = new Map<number, number>();
  let now = 1_000;
  let core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now });
  const restart = async () => {
    const before = core.sweeps.get('1')?.trials.get('t0');
    core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now });
    const loaded = core.sweeps.get('1')?.trials.get('t0');
    if (before !== undefined && loaded !== undefined) {
      for (const field of ['state', 'attempts', 'failures', 'failedAttempts', 'speculated', 'checkpoint'] as const) {
        expect(loaded[field]).toEqual(before[field]);
      }
      expect(loaded.lease?.key).toEqual(before.lease?.key);
      expect(loaded.speculation?.key).toEqual(before.speculation?.key);
      expect(loaded.speculation?.lastSeq).toBe(before.speculation?.lastSeq);
    }
    for (const id of ['a', 'b']) onHello(core, agentHello(id, `${id}1`, 6), now);
    // Makes the coordinator act as if the agents had had enough time to report.
    core.listeningSince = Number.NEGATIVE_INFINITY;
    for (const lease of core.leases.values()) lease.expiresAt = Number.POSITIVE_INFINITY;
  };
  const take = async ({ changes }: Step) => {
    for (const change of changes) write(change, now, written);
    await restart();
  };
  const agentOf = ({ attempt }: AttemptKey) => (attempt === 1 ? 'a' : 'b');
  type Body = AttemptRecord extends infer R ? (R extends unknown ? Omit<R, 'key' | 'seq' | 'at'> : never) : never;
  const send = async (key: AttemptKey, body: Body) => {
    const seq = (seqs.get(key.attempt) ?? 0) + 1;
    seqs.set(key.attempt, seq);
    const record = { key, seq, at: now, ...body } as AttemptRecord;
    const { step, answer } = onRecord(core, { agentId: agentOf(key), record }, now);
    expect(answer).toEqual({ result: 'accepted' });
    await take(step);
  };
  const open = async (key: AttemptKey, agentId: string) => {
    await take(schedule(core, now));
    await take(schedule(core, now));
    const { step, answer } = onOpen(
      core,
      { key, agentId, incarnation: `${agentId}1`, slot: Number(key.trialId.slice(1)) },
      now,
    );
    expect(answer).toMatchObject({ granted: true });
    await take(step);
  };
  await restart();
  for (const { trialId } of trials.slice(1)) await open({ ...FIRST, trialId }, 'a');
  now += 1_000;
  for (const { trialId } of trials.slice(1)) {
    const record = {
      kind: 'report',
      key: { ...FIRST, trialId },
      seq: 1,
      at: now,
      epoch: 1,
      metrics: { loss: 9 },
    } as const;
    await take(onRecord(core, { agentId: 'a', record }, now).step);
    const ended = { kind: 'ended', key: record.key, seq: 2, at: now, end: { outcome: 'succeeded' } } as const;
    await take(onRecord(core, { agentId: 'a', record: ended }, now).step);
  }
  await open(FIRST, 'a');
  const queries = new Queries(new SqliteReader(db));
  return {
    queries,
    send,
    report: (key: AttemptKey, epoch: number, loss: number) => send(key, { kind: 'report', epoch, metrics: { loss } }),
    end: (key: AttemptKey, end: FinalEnd) => send(key, { kind: 'ended', end }),
    async speculate() {
      now += 10_000;
      await take(onTick(core, now));
      // An offer of a second attempt is not stored, but is repeated after the restart.
      schedule(core, now);
      const { step, answer } = onOpen(core, { key: SECOND, agentId: 'b', incarnation: 'b1', slot: 0 }, now);
      expect(answer).toMatchObject({ granted: true });
      await take(step);
    },
    openThird: () => open({ ...FIRST, attempt: 3 }, 'b'),
    trial: () => sampleTrial(core.sweeps.get('1') ?? never(), 't0'),
    async curve() {
      return (await collected(trialCurve(queries, '1', 't0'))).map(({ attempt, epoch }) => [attempt, epoch]);
    },
    modelAttempt: async () => (await queries.artifacts.get('1', 't0', 0, 'model')).attempt,
  };
}

function never(): never {
  throw new Error('the test expects a sweep that has not ended');
}

const crash = { outcome: 'failed', failure: { class: 'crash', message: 'boom' } } as const;

test('while two attempts of a trial run, the trial has the values of the first attempt, also after a restart', async () => {
  const { queries, report, send, speculate, curve, modelAttempt } = await coordinator();
  await report(FIRST, 1, 5);
  await speculate();
  await report(SECOND, 1, 4);
  await report(SECOND, 2, 3);
  await send(FIRST, { kind: 'artifact', artifact: MODEL });
  await send(SECOND, { kind: 'artifact', artifact: MODEL });
  expect(await queries.trials.get('1', 't0')).toMatchObject({
    agentId: 'a',
    epoch: 1,
    metrics: { loss: 5 },
    attempts: 2,
  });
  expect(await curve()).toEqual([[1, 1]]);
  expect(await collected(trialReports(queries, '1', 't0'))).toHaveLength(1);
  expect([await modelAttempt(), (await queries.artifacts.get('1', 't0', 2, 'model')).attempt]).toEqual([1, 2]);
  expect((await queries.artifacts.page('1', 't0', { limit: 9 })).map(({ artifact }) => artifact.attempt)).toEqual([1]);
  expect(await queries.attempts.all('1', 't0')).toMatchObject([
    { number: 1, speculative: false, hidden: false },
    { number: 2, speculative: true, hidden: true, resumedFrom: 0 },
  ]);
  expect(currentAttempt(await queries.attempts.all('1', 't0'))?.number).toBe(1);
});

test('if the second attempt succeeds first, the trial has the values, curve and artifacts of that attempt', async () => {
  const { queries, report, send, end, speculate, curve, modelAttempt } = await coordinator();
  await report(FIRST, 1, 1);
  await speculate();
  await send(FIRST, { kind: 'artifact', artifact: MODEL });
  await report(SECOND, 1, 4);
  await report(SECOND, 2, 3);
  await send(SECOND, { kind: 'artifact', artifact: MODEL });
  await end(SECOND, { outcome: 'succeeded' });
  const shown = {
    state: 'TRIAL_STATE_SUCCEEDED',
    agentId: 'b',
    epoch: 2,
    metrics: { loss: 3 },
    metricSteps: { loss: 2 },
  };
  expect(await queries.trials.get('1', 't0')).toMatchObject(shown);
  expect(await curve()).toEqual([
    [2, 1],
    [2, 2],
  ]);
  expect(await modelAttempt()).toBe(2);
  expect(await queries.attempts.all('1', 't0')).toMatchObject([
    { outcome: 'ATTEMPT_OUTCOME_SUPERSEDED', failure: undefined },
    { outcome: 'ATTEMPT_OUTCOME_SUCCEEDED', hidden: false },
  ]);
  expect((await queries.sweeps.get('1')).state).toBe('SWEEP_STATE_FINISHED');
});

test('if the first attempt succeeds first, the trial keeps the values of that attempt, and has no values of the second attempt', async () => {
  const { queries, report, send, end, speculate, curve, modelAttempt } = await coordinator();
  await speculate();
  await report(SECOND, 1, 1);
  await report(SECOND, 2, 1);
  await send(SECOND, { kind: 'artifact', artifact: MODEL });
  await report(FIRST, 1, 5);
  await send(FIRST, { kind: 'artifact', artifact: MODEL });
  await end(FIRST, { outcome: 'succeeded' });
  expect(await queries.trials.get('1', 't0')).toMatchObject({
    agentId: 'a',
    epoch: 1,
    metrics: { loss: 5 },
    attempts: 2,
  });
  expect(await curve()).toEqual([[1, 1]]);
  expect(await modelAttempt()).toBe(1);
  expect((await queries.attempts.all('1', 't0')).map(({ outcome }) => outcome)).toEqual([
    'ATTEMPT_OUTCOME_SUCCEEDED',
    'ATTEMPT_OUTCOME_SUPERSEDED',
  ]);
});

test('if the first attempt fails, the trial continues with the values of the second attempt, and uses no retry', async () => {
  const { queries, report, end, speculate, curve, trial } = await coordinator();
  await report(FIRST, 1, 1);
  await speculate();
  await report(SECOND, 1, 4);
  await end(FIRST, crash);
  expect(await queries.trials.get('1', 't0')).toMatchObject({
    state: 'TRIAL_STATE_RUNNING',
    agentId: 'b',
    metrics: { loss: 4 },
  });
  expect(trial()).toMatchObject({ failures: {}, speculated: true });
  await report(SECOND, 2, 3);
  expect(await curve()).toEqual([
    [2, 1],
    [2, 2],
  ]);
  await end(SECOND, crash);
  expect(trial()).toMatchObject({ state: 'pending', failures: { crash: 1 } });
});

test('a third attempt resumes from the checkpoint of the first attempt, and the trial has no values of the second attempt', async () => {
  const { queries, report, send, end, speculate, curve, trial, openThird } = await coordinator();
  for (const epoch of [1, 2, 3]) await report(FIRST, epoch, 10 - epoch);
  const checkpoint = { name: 'c', kind: 'checkpoint', epoch: 2, size: 1, sha256: '' } as const;
  await send(FIRST, { kind: 'artifact', artifact: checkpoint });
  await speculate();
  await report(SECOND, 1, 1);
  await send(SECOND, { kind: 'artifact', artifact: { ...checkpoint, name: 'own', epoch: 1 } });
  await end(FIRST, crash);
  await end(SECOND, crash);
  expect(trial().checkpoint).toMatchObject({ name: 'c', attempt: 1, epoch: 2 });
  await openThird();
  expect(await queries.trials.get('1', 't0')).toMatchObject({ epoch: 2, metrics: { loss: 8 }, attempts: 3 });
  await report({ ...FIRST, attempt: 3 }, 3, 6);
  expect(await curve()).toEqual([
    [1, 1],
    [1, 2],
    [3, 3],
  ]);
});
