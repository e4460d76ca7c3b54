import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { agentHello, LEASE_MS, PLAIN_POLICY, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { changeWriter, insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import { onHello } from '../core/agents.ts';
import { type AttemptRecord, onRecord } from '../core/attempt-records.ts';
import { onOpen } from '../core/attempts.ts';
import { forgetEndedTrials } from '../core/ended-trials.ts';
import type { Sweep } from '../core/model.ts';
import { schedule } from '../core/scheduler.ts';
import type { Step } from '../core/step.ts';
import type { EarlyTerminate } from '../early-stop/settings.ts';
import { loadCore } from './load.ts';
import { openStore } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';
import type { TransactionResult } from './write-events.ts';

type Body = AttemptRecord extends infer R ? (R extends unknown ? Omit<R, 'key' | 'seq' | 'at'> : never) : never;

/** A coordinator whose memory is compared with its store after every step. */
async function coordinator(earlyTerminate: EarlyTerminate) {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-early-stopping-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const db = openStore(dir);
  const trials = Array.from({ length: 4 }, (_, index) => {
    return { trialId: `t${index}`, configId: `c${index}`, index, seed: index, parameters: {} };
  });
  const ranking = { metric: 'loss', goal: 'maximize', at: 'last' } as const;
  const policy = { ...PLAIN_POLICY, trainer: 'command', ranking, earlyTerminate };
  const sweep = { requestId: 'r', name: 's', fingerprint: 'f', fileName: 's', text: '', trainer: 'command', policy };
  const counts = { metric: 'loss', goal: 'maximize', axes: [], configs: 4, replicates: 1, excluded: 0, priority: 0 };
  insertSweep(db, { ...sweep, ...counts }, trials, 1);
  const written: TransactionResult = { events: [], dropped: [] };
  const write = changeWriter(db);
  const seqs = new Map<string, number>();
  const now = 1_000;
  let core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now });
  const facts = ({ earlyStopping, trials }: Sweep) => ({
    curves: new Map(earlyStopping?.curves),
    resumable: new Map(earlyStopping?.resumable),
    scores: new Map(earlyStopping?.scores),
    compared: earlyStopping?.population?.compared,
    vacant: [...(earlyStopping?.population?.vacant ?? [])].sort(),
    origins: [...trials.values()].map(({ parent, checkpoint, parameters }) => [parent, checkpoint, parameters]),
    rungs: [...trials.values()].map(({ rung, rungScore, promotedFrom }) => [rung, rungScore, promotedFrom]),
    promotion: new Map(earlyStopping?.promotion?.rungs),
    states: [...trials.values()].map(({ state }) => state),
  });
  const sweepOf = () => {
    const found = core.sweeps.get('1');
    if (found === undefined) throw new Error('the test expects a sweep that has not ended');
    return found;
  };
  const connect = () => {
    for (const id of ['a', 'b']) onHello(core, agentHello(id, `${id}1`, 4), now);
  };
  connect();
  const take = async ({ changes }: Step) => {
    for (const change of changes) write(change, now, written);
    forgetEndedTrials(core, changes);
    const before = facts(sweepOf());
    core = await loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now });
    expect(facts(sweepOf())).toEqual(before);
    connect();
  };
  return {
    written,
    queries: new Queries(new SqliteReader(db)),
    sweep: sweepOf,
    async open(trialId: string, agentId: string): Promise<AttemptKey> {
      await take(schedule(core, now));
      const key = { sweepId: '1', trialId, attempt: sampleTrial(sweepOf(), trialId).attempts + 1 };
      const { step, answer } = onOpen(core, { key, agentId, incarnation: `${agentId}1`, slot: 0 }, now);
      expect(answer).toMatchObject({ granted: true });
      await take(step);
      return key;
    },
    pass: () => take(schedule(core, now)),
    async send(key: AttemptKey, body: Body) {
      const name = keyText(key);
      const seq = (seqs.get(name) ?? 0) + 1;
      seqs.set(name, seq);
      const agentId = core.leases.get(name)?.agentId ?? '';
      const { step } = onRecord(core, { agentId, record: { key, seq, at: now, ...body } as AttemptRecord }, now);
      await take(step);
    },
  };
}

const report = (epoch: number, loss: number): Body => ({ kind: 'report', epoch, metrics: { loss } });
const crash: Body = { kind: 'ended', end: { outcome: 'failed', failure: { class: 'crash', message: '' } } };
const checkpoint = (epoch: number): Body => ({
  kind: 'artifact',
  artifact: { name: `c${epoch}`, kind: 'checkpoint', epoch, size: 1, sha256: '' },
});

const PROMOTION = { type: 'asha', minIter: 1, maxIter: undefined, eta: 2, variant: 'promotion' } as const;

test('a restart of the coordinator after every step changes no rung, curve or decision of early stopping', async () => {
  const { open, send, sweep, queries, written } = await coordinator({
    type: 'asha',
    minIter: 1,
    maxIter: undefined,
    eta: 2,
  });
  const first = await open('t0', 'a');
  const second = await open('t1', 'b');
  await send(first, report(1, 0.5));
  await send(first, checkpoint(1));
  await send(second, report(1, 0.6));
  await send(first, report(2, 0.7));
  await send(first, report(3, 0.1));
  await send(first, crash);
  const again = await open('t0', 'b');
  expect(sweep().earlyStopping?.curves.get(keyText(again))).toMatchObject([{ step: 1, score: -0.5 }]);
  await send(again, report(2, 0.2));
  await send(again, report(4, 0.3));
  await send(second, report(2, 0.65));
  expect(sweep().trials.has('t1')).toBe(false);
  expect(sweep().counts).toMatchObject({ running: 1, stopped: 1 });
  const reason = 'asha: 0.65 ranks 2 of 2 at rung 2; the top 1 continues';
  expect(await queries.trials.get('1', 't1')).toMatchObject({ stopReason: reason, metrics: { loss: 0.65 }, epoch: 2 });
  expect((await queries.trials.get('1', 't0')).stopReason).toBe('');
  const events = written.events.filter(({ kind }) => kind === 'rung' || kind === 'stopped');
  expect(events.map(({ trialId, kind, detail }) => [trialId, kind, detail])).toEqual([
    ['t0', 'rung', '0.5 ranks 1 of 1 at rung 1; the top 1 continues'],
    ['t1', 'rung', '0.6 ranks 1 of 2 at rung 1; the top 1 continues'],
    ['t0', 'rung', '0.7 ranks 1 of 1 at rung 2; the top 1 continues'],
    ['t0', 'rung', '0.3 ranks 1 of 1 at rung 4; the top 1 continues'],
    ['t1', 'stopped', reason],
  ]);
});

test('the checkpoint of a trial that was stopped early is removed', async () => {
  const { open, send, queries, written } = await coordinator({ type: 'threshold', worseThan: 0.5, minIter: 1 });
  const key = await open('t0', 'a');
  await send(key, report(1, 0.6));
  await send(key, checkpoint(1));
  await send(key, report(2, 0.4));
  expect(await queries.artifacts.page('1', 't0', { limit: 9 })).toEqual([]);
  expect(written.dropped).toEqual([{ key, name: 'c1' }]);
});

test('a restart of the coordinator after every step does not change which trials are held and promoted', async () => {
  const { open, send, sweep, queries, written } = await coordinator({ ...PROMOTION });
  const first = await open('t0', 'a');
  await send(first, report(1, 0.5));
  await send(first, checkpoint(1));
  expect(sweep().counts).toMatchObject({ held: 1, running: 0 });
  const held = 'asha: 0.5 ranks 1 of 1 at rung 1; none are promoted';
  expect(await queries.trials.get('1', 't0')).toMatchObject({
    state: 'TRIAL_STATE_HELD',
    stopReason: held,
    endedAtMs: 0,
  });
  expect(sampleTrial(sweep(), 't0').checkpoint).toMatchObject({ epoch: 1, attempt: 1 });
  expect(written.dropped).toEqual([]);
  const second = await open('t1', 'b');
  await send(second, report(1, 0.4));
  expect(sweep().counts).toMatchObject({ held: 0, pending: 1, offered: 2, running: 1 });
  await send(second, checkpoint(1));
  expect(sweep().counts).toMatchObject({ held: 1 });
  const again = await open('t0', 'b');
  expect(sweep().earlyStopping?.curves.get(keyText(again))).toMatchObject([{ step: 1, score: -0.5 }]);
  expect(await queries.trials.get('1', 't0')).toMatchObject({
    state: 'TRIAL_STATE_RUNNING',
    stopReason: '',
    attempts: 2,
  });
  await send(again, report(2, 0.6));
  const events = written.events.filter(({ kind }) => kind === 'held' || kind === 'promoted');
  expect(events.map(({ trialId, kind, detail }) => [trialId, kind, detail])).toEqual([
    ['t0', 'held', held],
    ['t0', 'promoted', '0.5 is among the best 1 of 2 at rung 1'],
    ['t1', 'held', 'asha: 0.4 ranks 2 of 2 at rung 1; the top 1 is promoted'],
  ]);
});

const POPULATION: EarlyTerminate = {
  type: 'pbt',
  population: 4,
  interval: 2,
  quantile: 0.25,
  perturb: [0.8, 1.2],
  resample: 0.25,
  seed: 0,
  maxTrials: undefined,
  explore: [['lr', { kind: 'log_uniform', min: 1e-4, max: 1e-1, q: undefined }]],
};

test('a restart of the coordinator after every step does not change which members of a population are replaced', async () => {
  const { open, send, sweep, queries, written, pass } = await coordinator(POPULATION);
  for (const [at, id] of ['t0', 't1', 't2'].entries()) {
    const key = await open(id, 'a');
    await send(key, report(2, at));
    await send(key, checkpoint(2));
  }
  expect(sweep().counts).toMatchObject({ held: 3 });
  const failing = await open('t3', 'b');
  const nan: Body = { kind: 'ended', end: { outcome: 'failed', failure: { class: 'nan', message: '' } } };
  await send(failing, nan);
  expect([...(sweep().earlyStopping?.population?.vacant ?? [])]).toEqual(['t3']);
  await pass();
  const child = [...sweep().trials.values()].find(({ parent }) => parent !== undefined);
  expect(child).toMatchObject({ parent: 't2', index: 4, checkpoint: { epoch: 2, attempt: 0, name: 'c2' } });
  const id = child?.id ?? '';
  expect(await queries.trials.get('1', id)).toMatchObject({
    origin: { parent: 't2', epoch: 2, replaces: 't3' },
    seed: 4,
  });
  expect(await queries.sweeps.get('1')).toMatchObject({ planned: 5, configs: 5 });
  expect(await queries.artifacts.inherited()).toEqual([
    { sweepId: '1', trialId: id, parent: 't2', attempt: 1, name: 'c2', size: 1, sha256: '' },
  ]);
  // The parent continues, and its old checkpoint is dropped. The child keeps its copy of the file until the child
  // stores its own checkpoint.
  const parent = await open('t2', 'a');
  await send(parent, report(3, 3));
  await send(parent, checkpoint(3));
  expect(written.dropped).toEqual([{ key: { sweepId: '1', trialId: 't2', attempt: 1 }, name: 'c2' }]);
  expect(await queries.artifacts.inherited()).toHaveLength(1);
  const own = await open(id, 'b');
  await send(own, report(3, 1));
  await send(own, checkpoint(3));
  expect(written.dropped.at(-1)).toEqual({ key: { sweepId: '1', trialId: id, attempt: 0 }, name: 'c2' });
  expect(await queries.artifacts.inherited()).toEqual([]);
});
