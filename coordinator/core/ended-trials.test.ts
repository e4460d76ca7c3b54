import { expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore, sampleKey, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { type AttemptRecord, onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import { forgetEndedTrials, forgetIfEnded } from './ended-trials.ts';
import type { Sweep } from './model.ts';
import { onRetry } from './retry-trials.ts';
import { schedule } from './scheduler.ts';
import type { Step } from './step.ts';
import { placeTrial } from './trials.ts';

const TRIALS = 1_000;

/** Returns a core that forgets ended trials, as the coordinator does. */
function forgetfulCore(pack: number) {
  const core = emptyCore();
  onHello(core, agentHello('a', 'a1', 4, pack), 0);
  const retry = { oom: 0, crash: 0, timeout: 0, backoffMs: 0 };
  const sweep = addSweep(core, '1', TRIALS, { trainer: 'command', retry }, (index) => `p${index % 3}`, 0, 2);
  const settle = ({ changes }: Step) => forgetEndedTrials(core, changes);
  return { core, sweep, settle };
}

type Ended = Extract<AttemptRecord, { kind: 'ended' }>['end'];

/** Runs the first offered trial, and the trials that are granted with it, to their ends. */
function runOne({ core, sweep, settle }: ReturnType<typeof forgetfulCore>, end: Ended): string {
  settle(schedule(core, 1));
  const [trial] = sweep.offers;
  if (trial === undefined) throw new Error('the test expects an offer');
  const key = sampleKey(sweep, trial);
  settle(onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: 0 }, 1).step);
  for (const { key } of [...core.leases.values()]) {
    const metrics = { test_loss: trial.index };
    settle(onRecord(core, { agentId: 'a', record: { kind: 'report', key, seq: 1, at: 1, epoch: 1, metrics } }, 1).step);
    settle(onRecord(core, { agentId: 'a', record: { kind: 'ended', key, seq: 2, at: 1, end } }, 1).step);
  }
  return trial.id;
}

function sizeOf(sweep: Sweep): number {
  const { trials, packable, warnings } = sweep;
  const queued = [...packable.values()].reduce((sum, queue) => sum + queue.length, 0);
  return trials.size + queued + sweep.ready.length + warnings.configs.size + warnings.values.size;
}

test.each([1, 4])('memory does not grow with the number of ended trials if the slots train packs of %i', (pack) => {
  const world = forgetfulCore(pack);
  const before = sizeOf(world.sweep);
  while (world.sweep.counts.succeeded < TRIALS - 10) runOne(world, { outcome: 'succeeded' });
  const { succeeded, pending, offered } = world.sweep.counts;
  expect(succeeded + pending + offered).toBe(TRIALS);
  expect(world.sweep.trials.size).toBe(pending + offered);
  expect(sizeOf(world.sweep)).toBeLessThan(before / 20);
});

test('the counts of a sweep include the trials that have left memory, and the sweep ends after its last trial', () => {
  const world = forgetfulCore(1);
  for (let trial = 0; trial < TRIALS; trial++) runOne(world, { outcome: 'succeeded' });
  expect(world.sweep).toMatchObject({ state: 'finished', counts: { pending: 0, offered: 0, succeeded: TRIALS } });
  expect(world.sweep.trials.size).toBe(0);
});

test('a claim or a record of a trial that has left memory is rejected', () => {
  const { core, sweep, settle } = forgetfulCore(1);
  const trialId = runOne({ core, sweep, settle }, { outcome: 'succeeded' });
  const key = { sweepId: '1', trialId, attempt: 1 };
  const message = `trial ${trialId} of sweep 1 has ended or does not exist`;
  const refusal = { code: 'REFUSAL_CODE_ENDED', message };
  const claim = { key, agentId: 'a', incarnation: 'a1', slot: 0 };
  expect(onOpen(core, claim, 2).answer).toEqual({ granted: false, refusal });
  const record = { kind: 'log', key, seq: 3, at: 2, text: 'late' } as const;
  expect(onRecord(core, { agentId: 'a', record }, 2).answer).toEqual({ result: 'rejected', refusal });
});

test('an ended trial that is loaded into memory can be retried, and leaves memory when it has ended again', () => {
  const world = forgetfulCore(1);
  const { core, sweep, settle } = world;
  schedule(core, 1);
  const [first] = sweep.offers;
  const kept = { ...sampleTrial(sweep, first?.id ?? '') };
  const trialId = runOne(world, { outcome: 'failed', failure: { class: 'crash', message: '' } });
  expect(trialId).toBe(kept.id);
  const choice = { failures: 'all', cancelled: false } as const;
  expect(onRetry(core, { sweep, choice, requestId: 'r1' }).changes).toEqual([]);
  const restored = { ...kept, state: 'failed' as const, failure: 'crash' as const, attempts: 1 };
  placeTrial(sweep, restored);
  expect(sweep.counts.failed).toBe(1);
  const step = onRetry(core, { sweep, choice, requestId: 'r2' });
  expect(step.changes).toMatchObject([{ kind: 'retried', trialId, attempts: 1 }]);
  settle(step);
  forgetIfEnded(sweep, restored);
  expect(sweep.trials.get(trialId)?.state).toBe('pending');
  expect(sweep.counts.failed).toBe(0);
  expect(onRetry(core, { sweep, choice, requestId: 'r3' }).changes).toEqual([]);
  while (sweep.trials.has(trialId)) runOne(world, { outcome: 'succeeded' });
  expect(sweep.counts.failed).toBe(0);
});
