import { expect, test } from 'vitest';
import { SweepState, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { endedTrial, event, START_MS, sampleSweep } from '../../test/support/dashboard/sample.ts';
import { Replay } from './replay.ts';

test('a replay shows a trial that failed, was retried after its sweep ended, and succeeded', () => {
  const trial = endedTrial(0, { test_loss: 0.1 });
  const replay = new Replay({
    sweep: sampleSweep({ state: SweepState.FINISHED }),
    trials: [trial],
    curves: new Map(),
    events: [
      event('failed', trial, 1),
      event('sweep finished', undefined, 1),
      event('sweep running', undefined, 2),
      event('retried', trial, 2),
      event('succeeded', trial, 3),
      event('sweep finished', undefined, 3),
    ],
  });
  const seen = [1, 2, 3].map((seconds) => {
    const { update } = replay.until(START_MS + seconds * 1000) ?? {};
    if (update?.$case !== 'delta') throw new Error('nothing came');
    const { sweep, trials } = update.delta;
    return [trials[0]?.state, sweep?.state, sweep?.counts?.failed, sweep?.counts?.pending];
  });
  expect(seen).toEqual([
    [TrialState.FAILED, SweepState.FINISHED, 1, 0],
    [TrialState.PENDING, SweepState.RUNNING, 0, 1],
    [TrialState.SUCCEEDED, SweepState.FINISHED, 0, 0],
  ]);
});
