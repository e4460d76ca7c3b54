import { expect, test } from 'vitest';
import { SweepState } from '../../proto/gen/trawl/v1/types.ts';
import { delta, endedTrial, START_MS, sampleSweep, snapshot } from '../testing/sample.ts';
import { EMPTY_STATE } from './dashboard-state.ts';
import { progressOf } from './progress.ts';
import { reduceAll } from './reducer.ts';

test('pace and time left come from the trials that ended', () => {
  const sweep = sampleSweep({ counts: { pending: 6, succeeded: 2 } });
  const state = reduceAll(EMPTY_STATE, [snapshot(), delta({ sweep, trials: [endedTrial(0, {}), endedTrial(1, {})] })]);
  // Both began at 5 s: two trials in 10 s are 12 a minute, and six more take 30 s.
  const progress = progressOf(state, START_MS + 15_000);
  expect(progress).toEqual({ ended: 2, total: 8, elapsedMs: 15_000, perMinute: 12, etaMs: 30_000 });
});

test('nothing is foretold before a trial has ended', () => {
  const progress = progressOf(reduceAll(EMPTY_STATE, [snapshot()]), START_MS + 60_000);
  expect(progress.perMinute).toBeUndefined();
  expect(progress.etaMs).toBeUndefined();
});

test('the clock of a sweep that has ended stands still', () => {
  const sweep = sampleSweep({ state: SweepState.FINISHED, endedAtMs: START_MS + 9_000, counts: { succeeded: 8 } });
  const state = reduceAll(EMPTY_STATE, [snapshot(sweep)]);
  expect(progressOf(state, START_MS + 3_600_000)).toMatchObject({ elapsedMs: 9_000, etaMs: undefined });
});
