import { expect, test } from 'vitest';
import { endedByTarget, reachesTarget, targetReason } from './target.ts';

test.each([
  [0.02, 'minimize', true],
  [0.019, 'minimize', true],
  [0.021, 'minimize', false],
  [0.02, 'maximize', true],
  [0.019, 'maximize', false],
  [Number.NEGATIVE_INFINITY, 'minimize', false],
  [Number.POSITIVE_INFINITY, 'maximize', false],
  [Number.NaN, 'minimize', false],
  [undefined, 'minimize', false],
] as const)('the value %s reaches the target 0.02 with the goal %s: %s', (value, goal, reached) => {
  expect(reachesTarget(value, 0.02, goal)).toBe(reached);
});

test('targetReason names the trial, the value and the target, and endedByTarget recognizes this reason', () => {
  const reason = targetReason({ trialId: 'abc', metric: 'loss', value: 0.01, step: 3, target: 0.02 });
  expect(reason).toBe('target reached: trial abc has loss 0.01 at step 3 (target 0.02)');
  expect(endedByTarget({ reason })).toBe(true);
  expect(endedByTarget({ reason: '' })).toBe(false);
});
