import { expect, test } from 'vitest';
import { configsOf } from '../../lib/domain/configs.ts';
import { Config, type Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { endedTrial, trialAt } from '../../test/support/dashboard/sample.ts';
import { chooseConfigs, comparisonOf } from './comparison.ts';
import { renderComparison } from './comparison-table.ts';

const replicates = (index: number, losses: readonly number[]): Trial[] =>
  losses.map((test_loss, seed) => ({ ...endedTrial(index, { test_loss }), id: `t${index}-${seed}`, seed }));

const compare = (trials: readonly Trial[]) => comparisonOf(configsOf(trials), trials, ['test_loss']);

test('each config is compared with the first config, with the confidence interval of Welch’s t-test', () => {
  const { metrics } = compare([...replicates(0, [1, 2, 3]), ...replicates(2, [3, 5, 10])]);
  const [loss] = metrics;
  expect(loss?.spreads).toEqual([
    { mean: 2, std: 1, n: 3 },
    { mean: 6, std: expect.closeTo(Math.sqrt(13), 12), n: 3 },
  ]);
  expect(loss?.differences[0]).toBeUndefined();
  // scipy.stats.ttest_ind([3, 5, 10], [1, 2, 3], equal_var=False).confidence_interval()
  expect(loss?.differences[1]).toEqual({
    mean: expect.closeTo(4, 12),
    low: expect.closeTo(-4.207701579, 7),
    high: expect.closeTo(12.207701579, 7),
  });
});

test('no difference is computed for a config with one result', () => {
  const [loss] = compare([...replicates(0, [1, 2]), ...replicates(2, [3])]).metrics;
  expect(loss?.differences).toEqual([undefined, undefined]);
});

test('metrics of a failed replicate do not count as results', () => {
  const [good = trialAt(0), bad = trialAt(0)] = replicates(0, [1, 99]);
  const failed = { ...bad, state: TrialState.FAILED };
  const [loss] = compare([good, failed, ...replicates(2, [3, 4])]).metrics;
  expect(loss?.spreads[0]).toEqual({ mean: 1, std: 0, n: 1 });
  expect(loss?.differences[1]).toBeUndefined();
});

test('varying and shared parameters are separated', () => {
  const { shared, parameters } = compare([...replicates(0, [1]), ...replicates(2, [2])]);
  expect(parameters).toEqual([{ name: 'latent_dim', values: [15, 30] }]);
  expect(shared).toMatchObject({ dataset: 'mnist', noise_std: 0 });
});

const config = (id: string, rank: number, ...trialIds: string[]) => Config.fromPartial({ id, rank, trialIds });
const configs = [
  config('aa1', 1, 't1', 't2'),
  config('ab2', 2, 'u1'),
  config('cc3', 3),
  config('dd4', 4),
  config('ee5', 0),
];
const chosen = (...selectors: string[]) => chooseConfigs(configs, selectors).map(({ id }) => id);

test('configs are selected by prefixes of their ids or of their trials’ ids, in the order of the prefixes', () => {
  expect(chosen('cc', 'aa1')).toEqual(['cc3', 'aa1']);
  expect(chosen('u', 't2', 't1')).toEqual(['ab2', 'aa1']);
});

test('by default, the three best configs with a value are compared', () => {
  expect(chosen()).toEqual(['aa1', 'ab2', 'cc3']);
});

test('unknown and ambiguous prefixes are rejected', () => {
  expect(() => chosen('x', 'aa')).toThrow('no config or trial "x"');
  expect(() => chosen('', 'aa')).toThrow('no config or trial ""');
  expect(() => chosen('a', 'cc')).toThrow('"a" is ambiguous: it matches 2 configs: aa1, ab2');
});

test('two different configs are required', () => {
  expect(() => chosen('aa')).toThrow('two different configs');
  expect(() => chosen('t1', 't2')).toThrow('two different configs');
  expect(() => chooseConfigs([config('ee5', 0)], [])).toThrow('fewer than two configs have a value');
});

test('a config with a trial that early stopping cut off has no difference, and its mean omits that trial', () => {
  const [first = trialAt(0), second = trialAt(0), third = trialAt(0)] = replicates(0, [1, 3, 99]);
  const cutOff = { ...third, state: TrialState.STOPPED, epoch: 1, stopReason: 'asha: 99 ranks 3 of 3 at rung 1' };
  const comparison = compare([first, second, cutOff, ...replicates(2, [4, 6])]);
  expect(comparison.metrics[0]).toMatchObject({ spreads: [{ mean: 2, n: 2 }, { mean: 5 }] });
  expect(comparison.metrics[0]?.differences).toEqual([undefined, undefined]);
  expect(comparison.cutOff).toEqual([true, false]);
  const text = renderComparison(comparison, { width: undefined, color: false });
  expect(text).toContain('2 succeeded, 1 stopped (1 left out)');
  expect(text).toContain('1 result of trials that early stopping cut off is left out of the means\n');
  expect(text).toContain(
    ': early stopping cut off trials with bad values, so the mean of their other trials is biased\n',
  );
});

test('results of dropped replicates do not count', () => {
  const [first = trialAt(0), second = trialAt(0), dropped = trialAt(0)] = replicates(0, [1, 3, 99]);
  const trials = [first, second, { ...dropped, droppedIn: 2 }, ...replicates(2, [4, 6])];
  const { configs, metrics } = compare(trials);
  expect(configs[0]?.counts).toMatchObject({ succeeded: 2, dropped: 1 });
  expect(metrics[0]?.spreads[0]).toMatchObject({ mean: 2, n: 2 });
  expect(metrics[0]?.differences[1]?.mean).toBe(3);
});
