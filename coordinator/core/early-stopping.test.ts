import { beforeEach, expect, test } from 'vitest';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { addSweep, agentHello, emptyCore, sampleKey, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import type { EarlyTerminate } from '../early-stop/settings.ts';
import { onHeartbeat, onHello } from './agents.ts';
import { onApply } from './apply.ts';
import { type AttemptRecord, onRecord, rejectionOf } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import { CLOSING_MS } from './closing-attempts.ts';
import type { Core, Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import { onRetry } from './retry-trials.ts';
import { schedule } from './scheduler.ts';
import { onKill, onKillTrial, onPause, onResume, onStop } from './sweeps.ts';
import { onTick } from './tick.ts';

const NOW = 1_000;
const ASHA: EarlyTerminate = { type: 'asha', minIter: 1, maxIter: undefined, eta: 2 };
const PATIENCE: EarlyTerminate = { type: 'patience', patience: 3, minDelta: 0, minIter: 1 };
const REASON = '0.9 ranks 2 of 2 at rung 1; the top 1 continues';

let core: Core;
let seqs: Map<string, number>;
beforeEach(() => {
  core = emptyCore();
  seqs = new Map();
  for (const id of ['a', 'b']) onHello(core, agentHello(id, `${id}1`, 2, 4), NOW);
});

function sweepOf(
  earlyTerminate: EarlyTerminate,
  policy: Partial<SweepPolicy> = {},
  trials = 4,
  packKey?: string,
): Sweep {
  const sweep = addSweep(core, '1', trials, { earlyTerminate, ...policy }, () => packKey);
  schedule(core, NOW);
  return sweep;
}

function open(sweep: Sweep, id: string, agentId = 'a', slot = 0): AttemptKey {
  schedule(core, NOW);
  const key = sampleKey(sweep, sampleTrial(sweep, id));
  const { answer } = onOpen(core, { key, agentId, incarnation: `${agentId}1`, slot }, NOW);
  expect(answer).toMatchObject({ granted: true });
  return key;
}

type Body = AttemptRecord extends infer R ? (R extends unknown ? Omit<R, 'key' | 'seq' | 'at'> : never) : never;

function send(key: AttemptKey, body: Body, agentId = 'a') {
  const seq = (seqs.get(keyText(key)) ?? 0) + 1;
  seqs.set(keyText(key), seq);
  return onRecord(core, { agentId, record: { key, seq, at: NOW, ...body } as AttemptRecord }, NOW);
}

const report = (key: AttemptKey, epoch: number, loss: number, agentId = 'a') =>
  send(key, { kind: 'report', epoch, metrics: { test_loss: loss } }, agentId);

const crash = { kind: 'ended', end: { outcome: 'failed', failure: { class: 'crash', message: '' } } } as const;
const checkpoint = (epoch: number) =>
  ({ kind: 'artifact', artifact: { name: 'c', kind: 'checkpoint', epoch, size: 1, sha256: '' } }) as const;

test('if the rule stops a trial at a report, the attempt and the trial end, and the agent gets a stop order', () => {
  const sweep = sweepOf(ASHA);
  const [first, second] = [open(sweep, 't0'), open(sweep, 't1', 'a', 1)];
  expect(report(first, 1, 0.5).step.changes).toMatchObject([
    { kind: 'report' },
    { kind: 'rung', rung: 1, step: 1, value: 0.5, detail: '0.5 ranks 1 of 1 at rung 1; the top 1 continues' },
  ]);
  const { step, answer } = report(second, 1, 0.9);
  expect(answer).toEqual({ result: 'accepted' });
  expect(step.changes).toMatchObject([
    { kind: 'report', key: second },
    { kind: 'rung', key: second, rung: 1, value: 0.9, detail: '' },
    { kind: 'ended', key: second, end: { outcome: 'stopped', rule: 'asha', reason: REASON } },
    { kind: 'trial', trialId: 't1', state: 'stopped', detail: `asha: ${REASON}` },
  ]);
  expect(step.outputs).toEqual([
    {
      kind: 'revoke',
      agentId: 'a',
      key: second,
      refusal: { code: RefusalCode.ENDED, message: `stopped by asha: ${REASON}` },
    },
  ]);
  expect(core.leases.has(keyText(second))).toBe(false);
});

test('if an agent missed the order to stop an attempt, the order is repeated after the next heartbeat, and the next record is rejected', () => {
  const sweep = sweepOf(ASHA);
  report(open(sweep, 't0'), 1, 0.5);
  const key = open(sweep, 't1', 'a', 1);
  report(key, 1, 0.9);
  const beat = { agentId: 'a', incarnation: 'a1', held: [key], leaving: false };
  onHello(core, agentHello('a', 'a2', 2), NOW);
  onHello(core, agentHello('a', 'a1', 2), NOW);
  expect(onHeartbeat(core, beat, NOW).outputs).toMatchObject([{ kind: 'revoke', key }]);
  const late = report(key, 2, 0.1);
  expect(late.answer).toMatchObject({ result: 'rejected', refusal: { code: RefusalCode.ENDED } });
  expect(late.step.changes).toEqual([]);
  expect(sampleTrial(sweep, 't1').state).toBe('stopped');
});

test('a stopped trial is never retried, and its sweep finishes', () => {
  const sweep = sweepOf(ASHA, {}, 2);
  const first = open(sweep, 't0');
  report(first, 1, 0.5);
  report(open(sweep, 't1', 'a', 1), 1, 0.9);
  expect(() => onRetry(core, { sweep, choice: { trials: ['t1'] }, requestId: 'r' })).toThrow(
    'was stopped early and has its result',
  );
  expect(onRetry(core, { sweep, choice: { failures: 'all', cancelled: true }, requestId: 'r' }).changes).toEqual([]);
  const { step } = send(first, { kind: 'ended', end: { outcome: 'succeeded' } });
  expect(step.changes.at(-1)).toMatchObject({ kind: 'sweep', state: 'finished' });
});

test('a trial that is stopped early leaves its pack, and the other trials of the pack continue', () => {
  const sweep = sweepOf(ASHA, {}, 8, 'k');
  open(sweep, 't0');
  const [first, second] = ['t0', 't1'].map((trialId) => ({ sweepId: '1', trialId, attempt: 1 }));
  if (first === undefined || second === undefined) throw new Error('no pack');
  report(first, 1, 0.5);
  report(second, 1, 0.9);
  expect(sweep.counts).toMatchObject({ running: 1, stopped: 1 });
  expect(core.slotsInUse.get('a')?.get(0)?.length).toBe(1);
  expect(report(first, 2, 0.4).answer).toEqual({ result: 'accepted' });
});

test('a trial that repeats its steps after a failure enters no rung a second time', () => {
  const sweep = sweepOf(ASHA, {}, 3);
  const key = open(sweep, 't0');
  report(key, 1, 0.5);
  send(key, crash);
  report(open(sweep, 't1', 'b'), 1, 0.4, 'b');
  const again = open(sweep, 't0', 'b', 1);
  expect(report(again, 1, 0.9, 'b').step.changes).toMatchObject([{ kind: 'report' }]);
  expect(sweep.earlyStopping?.scores.get(1)).toEqual([0.4, 0.5]);
  expect(report(again, 2, 0.9, 'b').step.changes).toMatchObject([{ kind: 'report' }, { kind: 'rung', rung: 2 }]);
});

test('a resumed attempt keeps the curve up to its checkpoint, and drops the later points', () => {
  const sweep = sweepOf(PATIENCE, {}, 1);
  const key = open(sweep, 't0');
  report(key, 1, 0.5);
  report(key, 2, 0.6);
  send(key, checkpoint(2));
  report(key, 3, 0.1);
  send(key, crash);
  const again = open(sweep, 't0', 'b');
  expect(report(again, 3, 0.6, 'b').step.outputs).toEqual([]);
  expect(report(again, 4, 0.6, 'b').step.changes.at(-2)).toMatchObject({
    kind: 'trial',
    state: 'stopped',
    detail: 'patience: the last 3 values did not improve on 0.5',
  });
});

test('an attempt that starts from the beginning has a new curve', () => {
  const sweep = sweepOf(PATIENCE, {}, 1);
  const key = open(sweep, 't0');
  for (const epoch of [1, 2, 3]) report(key, epoch, 0.5);
  send(key, crash);
  const again = open(sweep, 't0', 'b');
  for (const epoch of [1, 2, 3]) expect(report(again, epoch, 0.5, 'b').step.changes).toHaveLength(1);
  expect(report(again, 4, 0.5, 'b').step.changes.length).toBeGreaterThan(1);
});

test('early stopping does not stop a trial at its last epoch', () => {
  const sweep = sweepOf({ type: 'threshold', worseThan: 0.5, minIter: 3 }, {}, 1);
  const trial = { ...sampleTrial(sweep, 't0'), epochs: 3 };
  sweep.trials.set('t0', trial);
  const key = open(sweep, 't0');
  expect(report(key, 3, 0.9).step.changes).toHaveLength(1);
});

test('early stopping ignores reports without the metric, and values that are not finite', () => {
  const sweep = sweepOf({ type: 'threshold', worseThan: 0.5, minIter: 1 }, {}, 1);
  const key = open(sweep, 't0');
  expect(send(key, { kind: 'report', epoch: 1, metrics: { other: 9 } }).step.changes).toHaveLength(1);
  expect(report(key, 2, Number.NaN).step.changes).toHaveLength(1);
  expect(report(key, 3, Number.POSITIVE_INFINITY).step.changes).toHaveLength(1);
  expect(report(key, 4, 0.6).step.outputs).toHaveLength(1);
});

const PROMOTION: EarlyTerminate = { ...ASHA, variant: 'promotion' };

test('a trial is held when the checkpoint of its rung is stored, and its slot becomes free', () => {
  const sweep = sweepOf(PROMOTION);
  const key = open(sweep, 't0');
  expect(report(key, 1, 0.5).step.changes).toMatchObject([{ kind: 'report' }, { kind: 'rung', rung: 1, detail: '' }]);
  const { step } = send(key, checkpoint(1));
  const reason = '0.5 ranks 1 of 1 at rung 1; none are promoted';
  expect(step.changes).toMatchObject([
    { kind: 'artifact' },
    { kind: 'ended', end: { outcome: 'held', rule: 'asha', reason }, early: false, free: false },
    { kind: 'trial', trialId: 't0', state: 'held', detail: `asha: ${reason}` },
  ]);
  expect(step.outputs).toMatchObject([{ kind: 'revoke', key, refusal: { message: `held by asha: ${reason}` } }]);
  expect(core.leases.size).toBe(0);
  expect(sampleTrial(sweep, 't0').checkpoint?.epoch).toBe(1);
});

/** Runs a trial until it is held. */
function hold(sweep: Sweep, id: string, loss: number, agentId = 'a'): AttemptKey {
  const key = open(sweep, id, agentId);
  report(key, 1, loss, agentId);
  send(key, checkpoint(1), agentId);
  return key;
}

test('a promoted trial resumes from its checkpoint on another agent, and uses no retry', () => {
  const sweep = sweepOf(PROMOTION);
  hold(sweep, 't0', 0.5);
  const key = open(sweep, 't1');
  expect(report(key, 1, 0.9).step.changes.slice(2)).toMatchObject([
    { kind: 'advanced', trialId: 't0', rung: 1, detail: '0.5 is among the best 1 of 2 at rung 1' },
    { kind: 'trial', trialId: 't0', state: 'pending', failure: undefined },
  ]);
  const again = open(sweep, 't0', 'b');
  expect(again.attempt).toBe(2);
  expect(core.leases.get(keyText(again))?.resumedFrom).toBe(1);
  expect(sampleTrial(sweep, 't0').failures).toEqual({});
  expect(report(again, 2, 0.4, 'b').step.changes).toMatchObject([{ kind: 'report' }, { kind: 'rung', rung: 2 }]);
});

test('a trial that is among the best when it reaches its rung continues, and is not held', () => {
  const sweep = sweepOf(PROMOTION);
  hold(sweep, 't0', 0.5);
  const key = open(sweep, 't1');
  expect(report(key, 1, 0.1).step.changes).toMatchObject([
    { kind: 'report' },
    { kind: 'rung' },
    { kind: 'advanced', trialId: 't1' },
  ]);
  expect(send(key, checkpoint(1)).step.changes).toHaveLength(1);
  expect(sampleTrial(sweep, 't0').state).toBe('held');
});

test('the slot of a held trial starts a new trial if no trial can be promoted', () => {
  const sweep = sweepOf(PROMOTION);
  hold(sweep, 't0', 0.5);
  schedule(core, NOW);
  expect(sampleTrial(sweep, 't1').state).toBe('offered');
  expect(sampleTrial(sweep, 't0').state).toBe('held');
});

test('when no trial of a sweep is left to run, its held trials are stopped with the reason of the rule, and the sweep finishes', () => {
  const sweep = sweepOf(PROMOTION, {}, 2);
  const key = open(sweep, 't1', 'a', 1);
  hold(sweep, 't0', 0.5);
  report(key, 1, 0.1);
  report(key, 2, 0.1);
  const { step } = send(key, { kind: 'ended', end: { outcome: 'succeeded' } });
  const changes = step.changes.filter(({ kind }) => kind === 'trial' || kind === 'sweep');
  expect(changes).toMatchObject([
    { trialId: 't1', state: 'succeeded' },
    {
      trialId: 't0',
      state: 'stopped',
      detail: 'asha: 0.5 ranks 2 of 2 at rung 1; the top 1 was promoted',
    },
    { kind: 'sweep', state: 'finished' },
  ]);
});

test('a stop or a kill of a sweep cancels its held trials, and a kill of a held trial cancels that trial', () => {
  for (const end of [
    () => onStop(core, { sweepId: '1', reason: '' }),
    () => onKill(core, { sweepId: '1', reason: '' }, NOW),
    () => onKillTrial(core, { sweepId: '1', trialId: 't0', reason: '' }, NOW),
  ]) {
    core.sweeps.clear();
    seqs.clear();
    const sweep = sweepOf(PROMOTION);
    hold(sweep, 't0', 0.5);
    end();
    expect(sampleTrial(sweep, 't0').state).toBe('cancelled');
  }
});

test('a stopping sweep holds no trials, because a held trial could not resume', () => {
  const sweep = sweepOf(PROMOTION);
  const key = open(sweep, 't0');
  report(key, 1, 0.5);
  onStop(core, { sweepId: '1', reason: '' });
  expect(send(key, checkpoint(1)).step.changes).toHaveLength(1);
});

test('a trial that is promoted while its sweep is paused runs after the sweep is resumed', () => {
  const sweep = sweepOf(PROMOTION);
  const key = open(sweep, 't1', 'a', 1);
  hold(sweep, 't0', 0.5);
  onPause(core, { sweepId: '1', reason: '' });
  report(key, 1, 0.9);
  schedule(core, NOW);
  expect(sampleTrial(sweep, 't0').state).toBe('pending');
  onResume(core, { sweepId: '1' });
  expect(open(sweep, 't0').attempt).toBe(2);
});

test('a trial without checkpoints is held when it has passed its rung by checkpoint_every epochs, and repeats its steps after it is promoted', () => {
  const sweep = sweepOf(PROMOTION, { checkpointEvery: 2 });
  const key = open(sweep, 't0');
  report(key, 1, 0.5);
  expect(report(key, 2, 0.5).step.changes.slice(1)).toMatchObject([{ kind: 'rung', rung: 2 }]);
  report(key, 3, 0.5);
  expect(report(key, 4, 0.5).step.changes.slice(1)).toMatchObject([
    { kind: 'ended' },
    { kind: 'trial', state: 'held' },
  ]);
  report(open(sweep, 't1'), 2, 0.9);
  const again = open(sweep, 't0', 'b');
  expect(core.leases.get(keyText(again))?.resumedFrom).toBe(0);
  for (const epoch of [1, 2, 3]) expect(report(again, epoch, 0.7, 'b').step.changes).toHaveLength(1);
});

test('a trial that is held leaves its pack, and the other trials of the pack continue', () => {
  const sweep = sweepOf(PROMOTION, {}, 8, 'k');
  open(sweep, 't0');
  const [first, second] = ['t0', 't1'].map((trialId) => ({ sweepId: '1', trialId, attempt: 1 }));
  if (first === undefined || second === undefined) throw new Error('no pack');
  report(first, 1, 0.5);
  send(first, checkpoint(1));
  expect(sweep.counts).toMatchObject({ running: 1, held: 1 });
  expect(core.slotsInUse.get('a')?.get(0)?.length).toBe(1);
  expect(report(second, 1, 0.4).answer).toEqual({ result: 'accepted' });
});

test('a retried trial that failed at its rung is held like other trials, even if a better trial has reached the rung since', () => {
  const sweep = sweepOf(PROMOTION, { retry: { oom: 0, crash: 1, timeout: 0, backoffMs: 0 } });
  const key = open(sweep, 't0');
  report(key, 1, 0.5);
  send(key, crash);
  report(open(sweep, 't1', 'a', 1), 1, 0.1);
  const again = open(sweep, 't0', 'b');
  report(again, 1, 0.5, 'b');
  expect(send(again, checkpoint(1), 'b').step.changes.at(-1)).toMatchObject({ trialId: 't0', state: 'held' });
});

test('if a new version of the sweep file changes the early-stopping rule, held trials continue to their next rung', () => {
  const sweep = sweepOf(PROMOTION);
  hold(sweep, 't0', 0.5);
  const state = { search: 0, created: 4, points: 4, excluded: [], duplicates: 0, repeated: 0 };
  const earlyTerminate: EarlyTerminate = { type: 'asha', minIter: 2, maxIter: undefined, eta: 2, variant: 'promotion' };
  const policy: SweepPolicy = { ...sweep.policy, earlyTerminate };
  const version = { number: 2, fileName: '', text: '', fingerprint: '', name: '', axes: [], configs: 4, replicates: 1 };
  const applied = onApply(
    core,
    {
      sweep,
      version: { ...version, excluded: 0, policy, priority: 0, detail: '' },
      planned: 4,
      search: {
        source: { usesResults: false, prepare: async () => {}, next: () => ({ kind: 'wait' }) },
        state,
        done: true,
      },
      dropped: [],
      restored: [],
      resumed: [],
    },
    NOW,
  );
  expect(applied.changes.slice(1)).toMatchObject([
    { kind: 'advanced', trialId: 't0', rung: 1, detail: 'early_terminate has changed' },
    { kind: 'trial', trialId: 't0', state: 'pending' },
  ]);
  const again = open(sweep, 't0', 'b');
  report(again, 2, 0.4, 'b');
  expect(send(again, checkpoint(2), 'b').step.changes.at(-1)).toMatchObject({ trialId: 't0', state: 'held' });
});

const STOPS: EarlyTerminate = { type: 'threshold', worseThan: 0.5, minIter: 1 };
const PROGRAM = { trainer: 'command', command: ['program'] } as const;
const file = { kind: 'file', name: 'model.bin', epoch: 0, size: 1, sha256: '' } as const;

test('the program of a stopped trial can still send its log and its files, but its reports no longer count', () => {
  const sweep = sweepOf(STOPS, PROGRAM, 1);
  const key = open(sweep, 't0');
  const { outputs } = report(key, 1, 0.9).step;
  expect(outputs).toMatchObject([{ kind: 'revoke', key, refusal: { code: RefusalCode.STOPPED } }]);
  expect(sweep.counts.stopped).toBe(1);
  for (const body of [{ kind: 'log', text: 'last words' } as const, { kind: 'artifact', artifact: file } as const]) {
    expect(send(key, body)).toMatchObject({ answer: { result: 'accepted' }, step: { changes: [body] } });
  }
  expect(report(key, 2, 0.1)).toMatchObject({ answer: { result: 'accepted' }, step: { changes: [] } });
  expect(rejectionOf(core, 'a', key)).toBeUndefined();
  expect(rejectionOf(core, 'b', key)).toMatchObject({ code: RefusalCode.ENDED });
  expect(send(key, crash)).toMatchObject({
    answer: { result: 'accepted' },
    step: { changes: [], outputs: [{ kind: 'closed', key }] },
  });
  expect(send(key, { kind: 'log', text: 'too late' }).answer).toMatchObject({ result: 'rejected' });
  expect(sweep.counts).toMatchObject({ stopped: 1, failed: 0 });
});

test('if a heartbeat still lists a stopped attempt, the order to stop the attempt is sent again', () => {
  const sweep = sweepOf(STOPS, PROGRAM, 1);
  const key = open(sweep, 't0');
  report(key, 1, 0.9);
  const beat = { agentId: 'a', incarnation: 'a1', held: [key], leaving: false, claimed: [] };
  expect(onHeartbeat(core, { ...beat, machineFigures: undefined }, NOW).outputs).toMatchObject([
    { kind: 'revoke', key, refusal: { code: RefusalCode.STOPPED } },
  ]);
});

test('a stopped attempt that sends nothing is closed after some minutes, and gaps in its records are detected', () => {
  const sweep = sweepOf(STOPS, PROGRAM, 1);
  const key = open(sweep, 't0');
  report(key, 1, 0.9);
  const record = { key, seq: 3, at: NOW, kind: 'log', text: '' } as const;
  expect(onRecord(core, { agentId: 'a', record }, NOW).answer).toEqual({ result: 'gap', expected: 2 });
  expect(onTick(core, NOW + CLOSING_MS - 1).outputs).toEqual([]);
  expect(onTick(core, NOW + CLOSING_MS).outputs).toMatchObject([{ kind: 'closed', key }]);
  expect(rejectionOf(core, 'a', key)).toMatchObject({ code: RefusalCode.ENDED });
});

test('a stopped attempt of a built-in trainer can send nothing more', () => {
  const sweep = sweepOf(STOPS, {}, 1);
  const key = open(sweep, 't0');
  expect(report(key, 1, 0.9).step.outputs).toMatchObject([{ kind: 'revoke', refusal: { code: RefusalCode.ENDED } }]);
  expect(send(key, { kind: 'artifact', artifact: file }).answer).toMatchObject({ result: 'rejected' });
});
