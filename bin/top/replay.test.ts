import { expect, test } from 'vitest';
import { type Report, SweepState, TrialState } from '../../proto/gen/trawl/v1/types.ts';
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

test('a replay finds reports of fractional steps, and keeps metrics until an attempt starts from the first epoch', () => {
  const trial = endedTrial(0, {});
  const reports: Report[] = [
    { attempt: 1, epoch: 1 / 3, atMs: 0, metrics: { train_loss: 0.5 } },
    { attempt: 1, epoch: 1e21, atMs: 0, metrics: { test_loss: 0.25 } },
  ];
  const replay = new Replay({
    sweep: sampleSweep({ state: SweepState.FINISHED }),
    trials: [trial],
    curves: new Map([[trial.id, reports]]),
    events: [
      event('granted', trial, 1, 'to agent a, slot 0'),
      event('reported', trial, 2, 'epoch 0.33333'),
      event('reported', trial, 3, 'epoch 1e+21'),
      event('granted', { ...trial, attempts: 2 }, 4, 'to agent a, slot 0, resumed after epoch 0.33333'),
      event('granted', { ...trial, attempts: 3 }, 5, 'to agent a, slot 0'),
    ],
  });
  const seen = [1, 2, 3, 4, 5].map((seconds) => {
    const { update } = replay.until(START_MS + seconds * 1000) ?? {};
    const row = update?.$case === 'delta' ? update.delta.trials[0] : undefined;
    return [row?.epoch, row?.metrics];
  });
  const both = { train_loss: 0.5, test_loss: 0.25 };
  expect(seen).toEqual([
    [0, {}],
    [1 / 3, { train_loss: 0.5 }],
    [1e21, both],
    [1e21, both],
    [0, {}],
  ]);
});

test('a replay counts a trial as dropped while the sweep file lacks its point', () => {
  const trial = { ...endedTrial(0, { test_loss: 0.1 }), droppedIn: undefined };
  const replay = new Replay({
    sweep: sampleSweep({ state: SweepState.FINISHED }),
    trials: [trial],
    curves: new Map(),
    events: [event('succeeded', trial, 1), event('dropped', trial, 2), event('restored', trial, 3)],
  });
  const seen = [1, 2, 3].map((seconds) => {
    const { update } = replay.until(START_MS + seconds * 1000) ?? {};
    const counts = update?.$case === 'delta' ? update.delta.sweep?.counts : undefined;
    return [counts?.pending, counts?.succeeded, counts?.dropped];
  });
  expect(seen).toEqual([
    [0, 1, 0],
    [0, 0, 1],
    [0, 1, 0],
  ]);
});

test('a replay counts a slot with several leased attempts as one busy slot', () => {
  const trials = [0, 1, 2].map((at) => endedTrial(at, { test_loss: 0.1 }));
  const [a, b, c] = trials;
  const replay = new Replay({
    sweep: sampleSweep({ state: SweepState.FINISHED }),
    trials,
    curves: new Map(),
    events: [
      event('granted', a, 1, 'to agent a, slot 0'),
      event('granted', b, 2, 'to agent a, slot 0'),
      event('granted', c, 3, 'to agent a, slot 1'),
      event('ended', a, 4),
      event('ended', b, 5),
    ],
  });
  const busy = [1, 2, 3, 4, 5].map((seconds) => {
    const { update } = replay.until(START_MS + seconds * 1000) ?? {};
    return update?.$case === 'delta' ? update.delta.agents[0]?.busy : undefined;
  });
  expect(busy).toEqual([1, 1, 2, 2, 1]);
});
