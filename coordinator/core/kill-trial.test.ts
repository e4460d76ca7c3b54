import { expect, test } from 'vitest';
import { NotFoundError, RejectedError } from '../../proto/errors.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { addSweep, agentHello, emptyCore, sampleKey } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import { onRetry } from './retry-trials.ts';
import { schedule } from './scheduler.ts';
import { onKillTrial, onStop } from './sweeps.ts';
import { onTick } from './tick.ts';

const REASON = 'it wastes a GPU';

/** Returns a core with a sweep of `trials` trials. Agent `a` runs trial t0 in its only slot. */
function runningCore(trials = 3) {
  const core = emptyCore();
  const sweep = addSweep(core, '1', trials);
  onHello(core, agentHello('a', 'a1', 1), 0);
  schedule(core, 0);
  const [trial] = sweep.trials.values();
  if (trial === undefined) throw new Error('the test expects a trial');
  const key = sampleKey(sweep, trial);
  expect(onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: 0 }, 0).answer.granted).toBe(true);
  return { core, sweep, trial, key };
}

const kill = (core: ReturnType<typeof emptyCore>, trialId: string, reason = REASON) =>
  onKillTrial(core, { sweepId: '1', trialId, reason }, 1_000);

test('a killed running trial is cancelled, and its agent receives an order to stop the attempt', () => {
  const { core, sweep, trial, key } = runningCore();
  const { changes, outputs } = kill(core, trial.id);
  expect(changes).toEqual([
    {
      kind: 'ended',
      key,
      end: { outcome: 'cancelled' },
      early: false,
      free: false,
      leasedMs: 1_000,
      used: { slotMs: 1_000, gpuMs: 0 },
    },
    { kind: 'trial', sweepId: '1', trialId: trial.id, state: 'cancelled', detail: REASON, failure: undefined },
  ]);
  expect(outputs).toEqual([
    { kind: 'revoke', agentId: 'a', key, refusal: { code: RefusalCode.ENDED, message: REASON } },
  ]);
  expect(core.leases.size).toBe(0);
  expect(sweep.share.activeSlots).toBe(0);
  expect(sweep.counts).toMatchObject({ running: 0, cancelled: 1 });
  expect(sweep.state).toBe('running');
});

test('the slot of a killed trial takes the next trial', () => {
  const { core, sweep, trial } = runningCore();
  kill(core, trial.id);
  schedule(core, 1_000);
  const [next] = sweep.offers;
  if (next === undefined) throw new Error('the test expects an offer');
  expect(
    onOpen(core, { key: sampleKey(sweep, next), agentId: 'a', incarnation: 'a1', slot: 0 }, 1_000).answer.granted,
  ).toBe(true);
});

test('late reports and late claims of a killed trial are rejected', () => {
  const { core, sweep, trial, key } = runningCore();
  kill(core, trial.id);
  const record = { kind: 'report', key, seq: 1, at: 1_001, epoch: 1, metrics: { loss: 1 } } as const;
  expect(onRecord(core, { agentId: 'a', record }, 1_001).answer).toMatchObject({
    result: 'rejected',
    refusal: { code: RefusalCode.ENDED },
  });
  schedule(core, 1_000);
  const [offered] = sweep.offers;
  if (offered === undefined) throw new Error('the test expects an offer');
  const offer = sampleKey(sweep, offered);
  kill(core, offered.id);
  expect(onOpen(core, { key: offer, agentId: 'a', incarnation: 'a1', slot: 0 }, 1_001).answer).toMatchObject({
    granted: false,
    refusal: { code: RefusalCode.ENDED },
  });
});

test('a killed pending trial is never offered', () => {
  const { core, sweep } = runningCore();
  const ids = [...sweep.trials.keys()];
  for (const id of ids.slice(1)) kill(core, id, '');
  expect(schedule(core, 1_000).outputs).toEqual([]);
  expect(onTick(core, 1_001).outputs).toEqual([]);
  expect(sweep.counts).toMatchObject({ running: 1, cancelled: 2, pending: 0, offered: 0 });
});

test('a second kill changes nothing, and a kill of an ended or unknown trial is rejected', () => {
  const { core, trial, key, sweep } = runningCore();
  const [, second] = sweep.trials.keys();
  kill(core, second ?? '');
  expect(kill(core, second ?? '')).toEqual({ changes: [], outputs: [] });
  onRecord(core, { agentId: 'a', record: { kind: 'ended', key, seq: 1, at: 1, end: { outcome: 'succeeded' } } }, 1);
  expect(() => kill(core, trial.id)).toThrow(new RejectedError(`trial ${trial.id} has already ended (succeeded)`));
  expect(() => kill(core, 'nope')).toThrow(NotFoundError);
});

test('a sweep ends when its last trial is killed: a stopping sweep becomes stopped, and a running sweep becomes finished', () => {
  const finished = runningCore(1);
  expect(kill(finished.core, finished.trial.id).changes.at(-1)).toMatchObject({ kind: 'sweep', state: 'finished' });
  const stopping = runningCore(2);
  onStop(stopping.core, { sweepId: '1', reason: '' });
  expect(kill(stopping.core, stopping.trial.id).changes.at(-1)).toMatchObject({ kind: 'sweep', state: 'stopped' });
});

test('a killed trial that is retried continues from its checkpoint with the next attempt number', () => {
  const { core, sweep, trial, key } = runningCore();
  const artifact = { name: 'checkpoint-2', kind: 'checkpoint', epoch: 2, size: 1, sha256: '' } as const;
  onRecord(core, { agentId: 'a', record: { kind: 'artifact', key, seq: 1, at: 1, artifact } }, 1);
  kill(core, trial.id);
  const { changes } = onRetry(core, { sweep, choice: { trials: [trial.id] }, requestId: 'r' });
  expect(changes).toEqual([
    expect.objectContaining({ kind: 'retried', attempts: 1, failure: undefined, resumesFrom: 2 }),
  ]);
  expect(trial).toMatchObject({ state: 'pending', attempts: 1 });
});
