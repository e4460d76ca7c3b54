import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Goal, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { endedTrial, runningTrial, sampleSweep, trialAt } from '../../test/support/dashboard/sample.ts';
import { firstRepeatedMetric, goalOf, rank, rankedMetrics, rankingMetric, rankTrials, usualGoal } from './ranking.ts';

interface Item {
  readonly index: number;
  readonly metrics: Readonly<Record<string, number>>;
}

const value = fc.oneof(
  fc.constantFrom(0, -0, 1, 1, 2, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, undefined),
  fc.double(),
);
const items = fc
  .array(value, { maxLength: 30 })
  .map((values) => values.map((loss, index): Item => ({ index, metrics: loss === undefined ? {} : { loss } })));
const goal = fc.constantFrom('minimize' as const, 'maximize' as const);

const lossOf = (item: Item) => item.metrics.loss ?? Number.NaN;

test('the ranking of items does not depend on the order of the input', () => {
  const shuffled = items.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  );
  fc.assert(
    fc.property(shuffled, goal, ([list, other], way) => {
      expect(rank(other, lossOf, way)).toEqual(rank(list, lossOf, way));
    }),
  );
});

test('each item is ranked once, best first, and items with equal values share a place and are ordered by index', () => {
  fc.assert(
    fc.property(items, goal, (list, way) => {
      const ranked = rank(list, lossOf, way);
      expect(ranked.map(([item]) => item.index).sort((a, b) => a - b)).toEqual(list.map((item) => item.index));
      for (const [at, [item, place]] of ranked.entries()) {
        const finite = Number.isFinite(lossOf(item));
        const better = list
          .filter((other) => (way === 'minimize' ? lossOf(other) < lossOf(item) : lossOf(other) > lossOf(item)))
          .filter((other) => Number.isFinite(lossOf(other)));
        expect(place).toBe(finite ? better.length + 1 : 0);
        const before = ranked[at - 1];
        if (before === undefined) continue;
        if (before[1] === place) expect(before[0].index).toBeLessThan(item.index);
        else expect(finite ? before[1] < place : before[1] > 0).toBe(true);
      }
    }),
  );
});

test('items without a finite value come last in a ranking, with place 0', () => {
  const list = [Number.NaN, 2, Number.POSITIVE_INFINITY, 1].map((loss, index) => ({ index, metrics: { loss } }));
  const places = (ranked: [Item, number][]) => ranked.map(([item, place]) => [item.index, place]);
  expect(places(rank(list, lossOf, 'minimize'))).toEqual([
    [3, 1],
    [1, 2],
    [0, 0],
    [2, 0],
  ]);
  expect(places(rank(list, () => undefined, 'minimize')).every(([, place]) => place === 0)).toBe(true);
});

test('failed, cancelled and pending trials have no place, and a running trial is ranked by its latest report', () => {
  const trials = [
    trialAt(0, { metrics: { test_loss: 0.1 } }),
    endedTrial(1, { test_loss: Number.NaN }),
    { ...endedTrial(2, { test_loss: 0.1 }), state: TrialState.FAILED },
    { ...endedTrial(3, { test_loss: 0.1 }), state: TrialState.CANCELLED },
    endedTrial(4, { test_loss: 0.3 }),
    runningTrial(5, 1, { test_loss: 0.2 }),
  ];
  const ranked = rankTrials(trials, 'test_loss', 'minimize');
  expect(ranked.map((trial) => [trial.index, trial.rank])).toEqual([
    [5, 1],
    [4, 2],
    [0, 0],
    [1, 0],
    [2, 0],
    [3, 0],
  ]);
});

test('the second ranking metric is psnr, or test_loss if the objective is psnr, and is omitted until it is reported', () => {
  const loss = { name: 'test_loss', goal: 'minimize' };
  const psnr = { name: 'psnr', goal: 'maximize' };
  const reported = ['psnr', 'test_loss'];
  expect(rankedMetrics(sampleSweep(), reported)).toEqual([loss, psnr]);
  const byPsnr = sampleSweep({ metric: { name: 'psnr', goal: Goal.MAXIMIZE } });
  expect(rankedMetrics(byPsnr, reported)).toEqual([psnr, loss]);
  expect(rankedMetrics(sampleSweep(), ['test_loss'])).toEqual([loss]);
});

test('a sweep’s own metric has the sweep’s goal, and other metrics have their default goal', () => {
  const sweep = sampleSweep({ metric: { name: 'accuracy', goal: Goal.MINIMIZE } });
  expect([goalOf(sweep, 'accuracy'), goalOf(sweep, 'psnr'), goalOf(sweep, 'test_loss')]).toEqual([
    'minimize',
    'maximize',
    'minimize',
  ]);
  expect(goalOf(sampleSweep({ metric: { name: 'psnr', goal: Goal.UNSPECIFIED } }), 'psnr')).toBe('maximize');
});

test.each([
  ...['psnr', 'psnr_peak1', 'test_psnr', 'accuracy', 'accuracy_top5', 'test_accuracy'],
  ...['val_acc', 'valid.acc', 'f1', 'eval/f1-macro', 'valAccuracy', 'Test AUC', 'episode_reward', 'map50'],
])('the metric %s is maximized by default', (metric) => {
  expect(usualGoal(metric)).toBe('maximize');
});

test.each([
  ...['test_loss', 'train_total_loss', 'epoch_seconds', 'inaccuracy', 'loss_psnr_weighted'],
  ...['', 'accuracy_error', 'scoreLoss', 'fid_score', 'rmse', 'pacc', 'accumulated'],
])('the metric %s is minimized by default', (metric) => {
  expect(usualGoal(metric)).toBe('minimize');
});

test('while a sweep has no metric, it is ranked by the first reported metric', () => {
  const items = [{ metrics: {} }, { metrics: { zeta: 1, acc: 2 } }, { metrics: { loss: 1 } }];
  expect(rankingMetric('', items)).toBe('zeta');
  expect(rankingMetric('loss', items)).toBe('loss');
  expect(rankingMetric(undefined, [])).toBe('');
  const sweep = sampleSweep({ metric: { name: '', goal: Goal.MINIMIZE } });
  expect(rankedMetrics(sweep, ['loss', 'acc_x']).map(({ name }) => name)).toEqual(['loss']);
});

test.each([
  [['loss', 'acc'], ['acc'], 'acc'],
  [['loss', 'acc'], ['acc', 'loss'], 'loss'],
  [['loss'], [], undefined],
  [['lr', 'val.loss'], ['lr', 'val.loss'], 'val.loss'],
  [['step', '_runtime', 'trainer/global_step', 'b'], ['step', '_runtime', 'trainer/global_step', 'b'], 'b'],
  [['constructor'], ['constructor'], 'constructor'],
])('a report of %j after reports of %j makes %j the ranking metric', (names, earlier, metric) => {
  expect(firstRepeatedMetric(names, new Set(earlier), { lr: 0.1 })).toBe(metric);
});
