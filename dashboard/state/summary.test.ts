import { expect, test } from 'vitest';
import { NO_ESTIMATE } from '../../lib/domain/eta.ts';
import { NO_SLOT_TIME } from '../../lib/domain/slot-time.ts';
import { FailureClass, SweepState, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import {
  delta,
  endedTrial,
  runningTrial,
  START_MS,
  sampleAgent,
  sampleSweep,
  snapshot,
  trialAt,
} from '../../test/support/dashboard/sample.ts';
import { EMPTY_STATE, reduce, reduceAll } from './reducer.ts';
import { summaryOf } from './summary.ts';

test('the trials per minute are computed from the ended trials', () => {
  const sweep = sampleSweep({ counts: { pending: 6, succeeded: 2 } });
  const state = reduceAll(EMPTY_STATE, [
    snapshot(),
    delta({ sweep, trials: [endedTrial(0, {}), endedTrial(1, {})] }),
  ]).state;
  expect(summaryOf(state, START_MS + 15_000)).toMatchObject({ elapsedMs: 15_000, perMinute: 12 });
});

test('before the first trial has ended, no rate and no remaining time are shown', () => {
  const progress = summaryOf(reduce(EMPTY_STATE, snapshot()), START_MS + 60_000);
  expect(progress.perMinute).toBeUndefined();
  expect(progress.eta.sweep).toBeUndefined();
});

test('an ended sweep has no remaining time, and its running time does not change', () => {
  const sweep = sampleSweep({ state: SweepState.FINISHED, endedAtMs: START_MS + 9_000, counts: { succeeded: 8 } });
  const state = reduce(EMPTY_STATE, snapshot(sweep, [endedTrial(0, {}), trialAt(1)]));
  expect(summaryOf(state, START_MS + 3_600_000)).toMatchObject({ elapsedMs: 9_000, eta: NO_ESTIMATE });
});

test('the remaining time covers running and pending trials, but only running trials if the sweep is paused', () => {
  const trials = [endedTrial(0, {}), runningTrial(1, 2, {}), trialAt(2), trialAt(3)];
  const leftOf = (state: SweepState) => {
    const sweep = sampleSweep({ state, counts: { succeeded: 1, running: 1, pending: 2 } });
    return summaryOf(reduce(EMPTY_STATE, snapshot(sweep, trials)), START_MS + 15_000).eta;
  };
  const running = leftOf(SweepState.RUNNING);
  const paused = leftOf(SweepState.PAUSED);
  expect([...running.trials.keys()].sort()).toEqual(
    trials
      .slice(1)
      .map(({ id }) => id)
      .sort(),
  );
  expect([...paused.trials.keys()]).toEqual([trials[1]?.id]);
  expect(paused.sweep?.expectedMs).toBeLessThan(running.sweep?.expectedMs ?? 0);
  expect(paused.sweep?.lowMs).toBeLessThan(paused.sweep?.highMs ?? 0);
});

test('if several trials are queued on one slot, the remaining time assumes that they run one after another', () => {
  const trials = [endedTrial(0, {}), ...[1, 2, 3, 4].map((index) => runningTrial(index, 0, {}))];
  const leftWith = (attempts: number) => {
    const slotTime = { ...NO_SLOT_TIME, slots: 1, attempts };
    const sweep = sampleSweep({ counts: { succeeded: 1, running: 4 }, slotTime, slotShare: { slots: 1, waitMs: 0 } });
    return summaryOf(reduce(EMPTY_STATE, snapshot(sweep, trials)), START_MS + 15_000).eta.sweep?.expectedMs ?? 0;
  };
  expect(leftWith(1)).toBeGreaterThan(3 * leftWith(4));
});

test('failed trials are counted by class, the most frequent class first', () => {
  const failed = (index: number, kind: FailureClass) => ({
    ...endedTrial(index, {}, 10),
    state: TrialState.FAILED,
    failure: { class: kind, message: '' },
  });
  const trials = [
    failed(0, FailureClass.NAN),
    failed(1, FailureClass.OOM),
    failed(2, FailureClass.OOM),
    { ...runningTrial(3, 1, {}), agentId: 'gpu-box' },
    trialAt(4),
  ];
  const agents = [sampleAgent(), sampleAgent({ id: 'gpu-box', gpus: ['H100'] })];
  const summary = summaryOf(reduce(EMPTY_STATE, snapshot(sampleSweep(), trials, agents)), START_MS + 20_000);
  expect(summary.failures).toEqual([
    ['oom', 2],
    ['nan', 1],
  ]);
});
