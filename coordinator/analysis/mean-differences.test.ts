import { expect, test } from 'vitest';
import { differencesFromFirst } from './mean-differences.ts';

test('the difference of two means agrees with scipy', () => {
  // Expected interval: scipy.stats.ttest_ind([3, 4, 5, 4.5], [1, 2, 1.5], equal_var=False).confidence_interval()
  const [first, second] = differencesFromFirst([
    [1, 2, 1.5],
    [3, 4, 5, 4.5],
  ]);
  expect(first).toBeUndefined();
  expect(second).toMatchObject({ difference: 2.625, level: 0.95, verdict: 'higher', moreSeeds: '' });
  expect(second?.low).toBeCloseTo(1.2876980704900085, 6);
  expect(second?.high).toBeCloseTo(3.9623019295099917, 6);
});

test('the differences of several means share the error rate', () => {
  const [, second, third] = differencesFromFirst([
    [1, 1.1, 1.05],
    [3, 3.1, 3.05],
    [1.2, 0.9, 1.1],
  ]);
  expect(second).toMatchObject({ level: 0.975, verdict: 'higher' });
  expect(third).toMatchObject({ level: 0.95, verdict: 'undecided' });
  expect(third?.moreSeeds).toContain('the interval includes 0');
});

test('a config with one result has no difference of means', () => {
  expect(differencesFromFirst([[1, 2], [3]])).toEqual([undefined, undefined]);
  expect(differencesFromFirst([[1], [3, 4]])).toEqual([undefined, undefined]);
});

test('a config with a lower mean has a negative difference', () => {
  expect(
    differencesFromFirst([
      [5, 5.1, 5.05],
      [1, 1.1, 1.05],
    ])[1]?.verdict,
  ).toBe('lower');
});
