import { beforeEach, expect, test } from 'vitest';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { addSweep, agentHello, emptyCore, sampleKey, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import type { EarlyTerminate } from '../early-stop/settings.ts';
import { onHeartbeat, onHello } from './agents.ts';
import { type AttemptRecord, onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import type { Core, Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import { onRetry } from './retry-trials.ts';
import { schedule } from './scheduler.ts';

const NOW = 1_000;
const ASHA: EarlyTerminate = { type: 'asha', minIter: 1, maxIter: undefined, eta: 2 };
const PATIENCE: EarlyTerminate = { type: 'patience', patience: 3, minDelta: 0, minIter: 1 };
const REASON = '0.9 is number 2 of 2 at rung 1; the best 1 continues';

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

test('a report that the rule rejects ends its attempt and its trial in the same step, and the agent receives an order to stop', () => {
  const sweep = sweepOf(ASHA);
  const [first, second] = [open(sweep, 't0'), open(sweep, 't1', 'a', 1)];
  expect(report(first, 1, 0.5).step.changes).toMatchObject([
    { kind: 'report' },
    { kind: 'rung', rung: 1, step: 1, value: 0.5, detail: '0.5 is number 1 of 1 at rung 1; the best 1 continues' },
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

test('an agent that missed the order to stop receives the order again at its next heartbeat and next record', () => {
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

test('a trial of a pack that is stopped early leaves the pack, and the other trials continue', () => {
  const sweep = sweepOf(ASHA, {}, 8, 'k');
  open(sweep, 't0');
  const [first, second] = ['t0', 't1'].map((trialId) => ({ sweepId: '1', trialId, attempt: 1 }));
  if (first === undefined || second === undefined) throw new Error('no pack');
  report(first, 1, 0.5);
  report(second, 1, 0.9);
  expect(sweep.counts).toMatchObject({ running: 1, stopped: 1 });
  expect(core.slotsInUse.get('a')?.get(0)).toBe(1);
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

test('an attempt that resumes from a checkpoint continues the curve up to the checkpoint', () => {
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
