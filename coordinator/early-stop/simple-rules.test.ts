import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LOSS, Race } from './race.fixture.ts';
import type { MedianSettings, PatienceSettings, ThresholdSettings } from './settings.ts';

const MEDIAN: MedianSettings = { type: 'median', minIter: 1, minTrials: 3 };
const PATIENCE: PatienceSettings = { type: 'patience', patience: 2, minDelta: 0, minIter: 1 };
const THRESHOLD: ThresholdSettings = { type: 'threshold', worseThan: 0.5, minIter: 2 };

test('the median rule stops a trial whose best value is worse than the median of the running averages', () => {
  const race = new Race(MEDIAN);
  race.run('a', [4, 2]);
  race.run('b', [6, 4]);
  race.run('c', [8, 6]);
  // The running averages of the other trials at step 2 are 3, 5 and 7.
  expect(race.run('d', [6, 5.5])).toEqual({
    kind: 'stop',
    step: 2,
    reason: 'best value 5.5 is worse than the median 5 of 3 other trials at step 2',
  });
  expect(race.run('e', [6, 4.9])).toMatchObject({ kind: 'continue', step: 2 });
});

test('the median rule uses the mean of the two middle averages if the number of other trials is even', () => {
  const race = new Race({ ...MEDIAN, minTrials: 2 });
  race.report('a', 1, 1);
  race.report('b', 1, 3);
  expect(race.report('c', 1, 2.5).reason).toBe('best value 2.5 is worse than the median 2 of 2 other trials at step 1');
});

test('the median rule compares no trial before min_iter, or with fewer than min_trials other trials', () => {
  const race = new Race({ ...MEDIAN, minIter: 2 });
  for (const trial of ['a', 'b', 'c']) race.run(trial, [1, 1]);
  expect(race.report('d', 1, 100).kind).toBe('continue');
  expect(race.report('d', 2, 100).kind).toBe('stop');
  const few = new Race(MEDIAN);
  few.report('a', 1, 1);
  few.report('b', 1, 1);
  expect(few.report('c', 1, 100).kind).toBe('continue');
});

test('the decision of the median rule equals that of a direct computation', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 3, maxLength: 3 }), {
        minLength: 4,
        maxLength: 15,
      }),
      (runs) => {
        const race = new Race({ ...MEDIAN, minIter: 3 });
        for (const [at, run] of runs.entries()) {
          const averages = runs.slice(0, at).map((other) => other.reduce((sum, one) => sum + one, 0) / 3);
          averages.sort((a, b) => a - b);
          const middle = averages.length / 2;
          const median = ((averages[Math.ceil(middle) - 1] ?? 0) + (averages[Math.floor(middle)] ?? 0)) / 2;
          const expected = at >= 3 && Math.min(...run) > median + 1e-9;
          const decided = race.run(`t${at}`, run);
          if (at >= 3 && Math.abs(Math.min(...run) - median) < 1e-9) continue;
          expect(decided.kind).toBe(expected ? 'stop' : 'continue');
        }
      },
    ),
  );
});

test('the patience rule stops a trial after the given number of values without an improvement', () => {
  expect(new Race(PATIENCE).run('a', [5, 4, 4, 3, 3.5, 3, 1])).toEqual({
    kind: 'stop',
    step: 6,
    reason: 'the last 2 values did not improve on 3',
  });
});

test('for the patience rule, an improvement must be larger than min_delta', () => {
  const race = new Race({ ...PATIENCE, minDelta: 0.5 });
  expect(race.run('a', [5, 4.4, 4.2, 4])).toEqual({
    kind: 'stop',
    step: 4,
    reason: 'the last 2 values did not improve on 4.4 by more than 0.5',
  });
});

test('the patience rule stops no trial before min_iter', () => {
  expect(new Race({ ...PATIENCE, minIter: 5 }).run('a', [1, 1, 1, 1, 1])).toMatchObject({ kind: 'stop', step: 5 });
});

test('the patience rule never stops a trial that improves with every value', () => {
  const rising = fc.uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), {
    minLength: 1,
    maxLength: 30,
    // The value -0 is no improvement on 0.
    comparator: 'SameValueZero',
  });
  fc.assert(
    fc.property(rising, (values) => {
      const falling = values.toSorted((a, b) => b - a);
      expect(new Race({ ...PATIENCE, patience: 1 }).run('a', falling).kind).toBe('continue');
    }),
  );
});

test('from min_iter on, the threshold rule stops a trial at the first value that is worse than the threshold', () => {
  expect(new Race(THRESHOLD).run('a', [9, 0.5, 0.6, 0.1])).toEqual({
    kind: 'stop',
    step: 3,
    reason: '0.6 at step 3 is worse than 0.5',
  });
});

test('for the threshold rule, lower values are worse if the metric is maximized', () => {
  const race = new Race(THRESHOLD, { ...LOSS, goal: 'maximize' });
  expect(race.run('a', [0, 0.5, 0.4])).toMatchObject({ kind: 'stop', step: 3 });
});

test('early stopping ignores values at a step that is not higher than the last step', () => {
  const race = new Race(THRESHOLD);
  race.report('a', 3, 0.4);
  expect(race.report('a', 3, 0.9).kind).toBe('continue');
  expect(race.report('a', 2, 0.9).kind).toBe('continue');
});

test('early stopping ignores values that are not finite', () => {
  const race = new Race(THRESHOLD);
  expect(race.report('a', 3, Number.NaN).kind).toBe('continue');
  expect(race.report('a', 3, Number.POSITIVE_INFINITY).kind).toBe('continue');
});
