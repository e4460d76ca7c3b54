import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { endedTrial, runningTrial, trialAt } from '../../test/support/dashboard/sample.ts';
import {
  bestReplicate,
  comparedReplicates,
  comparedTrials,
  configSpread,
  configValue,
  hasResult,
  leftOutOfConfig,
  leftOutText,
  meanOf,
  resultOf,
  spreadOf,
  trialValue,
} from './trial-result.ts';

const failedTrial = (index: number, loss: number) => ({ ...endedTrial(index, { loss }), state: TrialState.FAILED });

test('only succeeded and stopped trials have a result', () => {
  const states = ['pending', 'offered', 'running', 'succeeded', 'stopped', 'failed', 'cancelled'] as const;
  expect(states.filter(hasResult)).toEqual(['succeeded', 'stopped']);
  expect(states.filter((state) => resultOf({ state, metrics: { loss: 1 } }, 'loss') === 1)).toEqual([
    'succeeded',
    'stopped',
  ]);
});

test('a running trial has the value of its latest report, and a failed or pending trial has no value', () => {
  expect(trialValue(runningTrial(0, 1, { loss: 2 }), 'loss')).toBe(2);
  expect(trialValue(failedTrial(0, 2), 'loss')).toBeUndefined();
  expect(trialValue(trialAt(0, { metrics: { loss: 2 } }), 'loss')).toBeUndefined();
  expect(trialValue(endedTrial(0, { loss: Number.POSITIVE_INFINITY }), 'loss')).toBeUndefined();
  expect(trialValue(endedTrial(0, {}), 'loss')).toBeUndefined();
});

test('a trial that did not report a metric has no value, even if every object inherits a property with the name of the metric', () => {
  expect(trialValue(endedTrial(0, { loss: 1 }), 'constructor')).toBeUndefined();
  expect(trialValue(endedTrial(0, { loss: 1, constructor: 2 }), 'constructor')).toBe(2);
});

test('the value of a config is the mean of its results; if no replicate has a result, it is the mean of its running replicates', () => {
  const running = [runningTrial(0, 1, { loss: 1 }), runningTrial(1, 1, { loss: 3 }), failedTrial(2, 100)];
  expect(configValue(running, 'loss')).toBe(2);
  expect(configValue([...running, endedTrial(3, { loss: 8 })], 'loss')).toBe(8);
  expect(configValue([failedTrial(0, 1), failedTrial(1, 1)], 'loss')).toBeUndefined();
  expect(configSpread([...running, endedTrial(3, { loss: 8 }), endedTrial(4, { loss: 4 })], 'loss')).toEqual({
    mean: 6,
    std: Math.sqrt(8),
    n: 2,
  });
});

const stoppedTrial = (index: number, loss: number, epoch: number, rule = 'asha') => ({
  ...{ ...endedTrial(index, { loss }), state: TrialState.STOPPED, epoch },
  stopReason: `${rule}: ${loss} ranks 3 of 6 at rung ${epoch}`,
});

test('the mean of a config leaves out the results of replicates that early stopping cut off', () => {
  const partly = [endedTrial(0, { loss: 2 }), stoppedTrial(1, 9, 1), stoppedTrial(2, 1, 3), endedTrial(3, { loss: 4 })];
  expect(configSpread(partly, 'loss')).toMatchObject({ mean: 3, n: 2 });
  expect([leftOutOfConfig(partly), comparedReplicates(partly)]).toEqual([2, []]);
  expect(bestReplicate([stoppedTrial(2, 1, 3), endedTrial(0, { loss: 2 })], 'loss', 'minimize').index).toBe(0);
});

test('if early stopping cut off all results of a config, its mean uses only the results with the highest epoch', () => {
  const all = [stoppedTrial(0, 9, 1), stoppedTrial(1, 4, 3), stoppedTrial(2, 6, 3)];
  expect(configSpread(all, 'loss')).toMatchObject({ mean: 5, n: 2 });
  expect([leftOutOfConfig(all), comparedReplicates(all)]).toEqual([1, []]);
});

test('a result of a trial that the patience rule stopped counts as complete, because the curve had stopped improving', () => {
  const converged = [stoppedTrial(0, 2, 7, 'patience'), stoppedTrial(1, 4, 9, 'patience'), endedTrial(2, { loss: 6 })];
  expect(configSpread(converged, 'loss')).toMatchObject({ mean: 4, n: 3 });
  expect([leftOutOfConfig(converged), comparedReplicates(converged)]).toEqual([0, converged]);
});

test('if early stopping cut off one result of a config, comparisons omit all results of the config', () => {
  const trial = (configId: string, state: 'succeeded' | 'stopped' | 'failed') => {
    return { configId, state, stopReason: state === 'stopped' ? 'median: worse' : '' };
  };
  const whole = [trial('a', 'succeeded'), trial('a', 'failed')];
  const cutOff = [trial('b', 'succeeded'), trial('b', 'stopped'), trial('b', 'failed'), trial('c', 'stopped')];
  expect(comparedTrials([...cutOff, ...whole])).toEqual({ compared: whole, leftOut: 3 });
  expect(leftOutText(3)).toBe('3 results left out, because early stopping cut off trials of their configs');
  expect(leftOutText(0)).toBe('');
});

test('a config whose mean is not finite has no value', () => {
  const huge = [endedTrial(0, { loss: 1.2e308 }), endedTrial(1, { loss: 1.3e308 })];
  expect(configValue(huge, 'loss')).toBeUndefined();
});

test('for equal values, the mean is exactly the common value and the deviation is 0', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: 1, max: 20 }), (value, n) => {
      expect(spreadOf(Array<number>(n).fill(value))).toEqual({ mean: value, std: 0, n });
    }),
  );
});

test('the deviation over replicates is the sample standard deviation', () => {
  expect(spreadOf([1, 2, 4])).toEqual({ mean: 7 / 3, std: expect.closeTo(Math.sqrt(7 / 3), 12), n: 3 });
  expect(meanOf([])).toBeNaN();
});
