import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Goal, SweepState, type Trial } from '../../proto/gen/trawl/v1/types.ts';
import { endedTrial, runningTrial, START_MS, sampleSweep, snapshot } from '../../test/support/dashboard/sample.ts';
import { bestOverTime, bestTexts } from './best-so-far.ts';
import type { ConfigRow } from './board.ts';
import { EMPTY_BOARD, updateBoard } from './board.ts';
import { EMPTY_STATE, reduce } from './reducer.ts';

const configOf = (trial: Trial): ConfigRow => ({ id: trial.configId, index: trial.index, trials: [trial] });

function textOf(trials: Trial[], seconds: number, sweep = sampleSweep()): string {
  const state = reduce(EMPTY_STATE, snapshot(sweep, trials));
  const board = updateBoard(EMPTY_BOARD, state, undefined);
  const { value, trend } = bestTexts({ board, analyzedConfigs: board.configs, now: START_MS + seconds * 1000 }, sweep);
  return value + trend;
}

test('the best value is shown with the age of its result and with its trend', () => {
  // Each trial starts 5 s after the sweep.
  const trials = [
    endedTrial(0, { test_loss: 0.5 }, 2),
    endedTrial(1, { test_loss: 0.1 }, 25),
    endedTrial(2, { test_loss: 0.3 }, 35),
  ];
  expect(textOf(trials, 40)).toBe('best test_loss 0.10000, 10.0s ago █████▁▁');
});

test('the best value of a metric that is maximized is the largest value', () => {
  const sweep = sampleSweep({ metric: { name: 'psnr', goal: Goal.MAXIMIZE } });
  expect(textOf([endedTrial(0, { psnr: 20 }), endedTrial(1, { psnr: 24 })], 40, sweep)).toContain('best psnr 24.000');
});

test('if the best value comes from a running trial, "still running" is shown instead of an age', () => {
  const trials = [endedTrial(0, { test_loss: 0.5 }), runningTrial(1, 1, { test_loss: 0.2 })];
  expect(textOf(trials, 40)).toContain('best test_loss 0.20000, still running');
});

test('if no trial has a value, there is no best value', () => {
  expect(textOf([runningTrial(0, 0, {})], 40)).toBe('');
});

test('the trend of an ended sweep covers only the time until its end', () => {
  const sweep = sampleSweep({ state: SweepState.FINISHED, endedAtMs: START_MS + 40_000 });
  const trials = [endedTrial(0, { test_loss: 0.5 }, 2), endedTrial(1, { test_loss: 0.1 }, 25)];
  expect(textOf(trials, 4000, sweep)).toBe('best test_loss 0.10000, 1h06m ago █████▁▁');
});

test('the best value over time never gets worse, and ends with the best result', () => {
  const trial = fc.tuple(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 100 }));
  fc.assert(
    fc.property(fc.array(trial, { maxLength: 8 }), fc.boolean(), (results, maximize) => {
      const configs = results.map(([value, second], i) => configOf(endedTrial(i % 8, { m: value }, second)));
      const metric = { name: 'm', goal: maximize ? ('maximize' as const) : ('minimize' as const) };
      const period = { fromMs: START_MS, untilMs: START_MS + 110_000, parts: 5 };
      const best = bestOverTime(configs, metric, period);
      const seen = best.filter((value) => !Number.isNaN(value));
      expect(best.slice(best.length - seen.length)).toEqual(seen);
      expect(seen).toEqual(seen.toSorted((a, b) => (maximize ? a - b : b - a)));
      const values = results.map(([value]) => value);
      expect(seen.at(-1)).toBe(values.length === 0 ? undefined : (maximize ? Math.max : Math.min)(...values));
    }),
  );
});
