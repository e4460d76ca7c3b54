import { expect, test } from 'vitest';
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

test('the rate and the time left are computed from ended trials', () => {
  const sweep = sampleSweep({ counts: { pending: 6, succeeded: 2 } });
  const state = reduceAll(EMPTY_STATE, [
    snapshot(),
    delta({ sweep, trials: [endedTrial(0, {}), endedTrial(1, {})] }),
  ]).state;
  const progress = summaryOf(state, START_MS + 15_000);
  expect(progress).toMatchObject({ elapsedMs: 15_000, perMinute: 12, etaMs: 30_000 });
  expect(progress.etaRangeMs).toBeUndefined();
});

test('there is no rate and no time left before a trial has ended', () => {
  const progress = summaryOf(reduce(EMPTY_STATE, snapshot()), START_MS + 60_000);
  expect(progress.perMinute).toBeUndefined();
  expect(progress.etaMs).toBeUndefined();
});

test('the running time of an ended sweep does not change', () => {
  const sweep = sampleSweep({ state: SweepState.FINISHED, endedAtMs: START_MS + 9_000, counts: { succeeded: 8 } });
  const state = reduce(EMPTY_STATE, snapshot(sweep));
  expect(summaryOf(state, START_MS + 3_600_000)).toMatchObject({ elapsedMs: 9_000, etaMs: undefined });
});

test('the time left has an interval once enough trials have ended', () => {
  const sweep = sampleSweep({ counts: { pending: 2, succeeded: 6 } });
  const trials = Array.from({ length: 6 }, (_, i) => endedTrial(i, {}));
  const { etaMs = 0, etaRangeMs } = summaryOf(reduce(EMPTY_STATE, snapshot(sweep, trials)), START_MS + 15_000);
  const spread = 1.96 * Math.sqrt(1 / 6 + 1 / 2);
  expect(etaRangeMs).toEqual([etaMs / (1 + spread), etaMs * (1 + spread)]);
});

test('slot and GPU time include running trials up to now, and failures are counted by class', () => {
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
  expect(summary.slotMs).toBe(3 * 10_000 + 15_000);
  expect(summary.gpuMs).toBe(15_000);
});
