import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Goal, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { endedTrial, sampleSweep, trialAt } from '../../test/support/dashboard/sample.ts';
import { placesOf, rankedMetrics, rankTrials } from './ranked-metrics.ts';

const loss = { name: 'test_loss', goal: 'minimize' } as const;
const psnr = { name: 'psnr', goal: 'maximize' } as const;

test('the best by loss is the lowest and by psnr the highest', () => {
  const trials = [endedTrial(0, { test_loss: 0.2, psnr: 13 }), endedTrial(1, { test_loss: 0.1, psnr: 16 })];
  expect(rankTrials(trials, loss).map((trial) => trial.index)).toEqual([1, 0]);
  expect(rankTrials(trials, psnr).map((trial) => trial.index)).toEqual([1, 0]);
});

test('trials without a finite value, failed and cancelled ones have no place', () => {
  const trials = [
    trialAt(0),
    endedTrial(1, { test_loss: Number.NaN }),
    { ...endedTrial(2, { test_loss: 0.1 }), state: TrialState.FAILED },
    { ...endedTrial(3, { test_loss: 0.1 }), state: TrialState.CANCELLED },
    endedTrial(4, { test_loss: 0.3 }),
  ];
  expect(rankTrials(trials, loss).map((trial) => trial.index)).toEqual([4]);
});

test('equal values share a place, and the next has the place after them', () => {
  const trials = [0.2, 0.1, 0.2, 0.3].map((test_loss, i) => endedTrial(i, { test_loss }));
  expect([...placesOf(trials, loss).values()]).toEqual([1, 2, 2, 4]);
});

test('the order does not depend on the order of arrival', () => {
  const value = fc.constantFrom(0.1, 0.2, 0.3, Number.POSITIVE_INFINITY, Number.NaN);
  fc.assert(
    fc.property(fc.array(value, { minLength: 8, maxLength: 8 }), fc.infiniteStream(fc.nat()), (values, keys) => {
      const trials = values.map((test_loss, i) => endedTrial(i, { test_loss }));
      const shuffled = trials
        .map((trial) => ({ trial, key: keys.next().value ?? 0 }))
        .sort((a, b) => a.key - b.key)
        .map(({ trial }) => trial);
      expect(rankTrials(shuffled, loss)).toEqual(rankTrials(trials, loss));
    }),
    { numRuns: 100 },
  );
});

test('the second ranking is by psnr, by test loss where psnr is the sweep’s own, and absent where it is not reported', () => {
  const reported = ['psnr', 'test_loss'];
  expect(rankedMetrics(sampleSweep(), reported)).toEqual([loss, psnr]);
  const byPsnr = sampleSweep({ metric: { name: 'psnr', goal: Goal.MAXIMIZE } });
  expect(rankedMetrics(byPsnr, reported)).toEqual([psnr, loss]);
  expect(rankedMetrics(sampleSweep(), ['test_loss'])).toEqual([loss]);
});
