import { expect, test } from 'vitest';
import { midTrials } from '../../test/support/dashboard/mid-sweep.ts';
import type { MeanDifference } from '../source.ts';
import { comparisonTitle, comparisonVerdict, curveTrials, resultsOf } from './compared.ts';
import type { MarkedRow } from './selectors.ts';

const [first, second, , , , failed, running] = midTrials;
if (first === undefined || second === undefined || failed === undefined || running === undefined)
  throw new Error('sample');

const rowOf = (id: string): MarkedRow => ({ id, trial: first, config: undefined });
const replicated: MarkedRow = {
  id: 'c1',
  trial: first,
  config: { id: 'c1', index: 0, trials: [first, second, failed, running] },
};

test('the title of a comparison names the omitted marked rows, and counts the marked rows that no longer exist', () => {
  const shown = ['a0000000', 'b0000000'].map(rowOf);
  expect(comparisonTitle({ shown, hidden: [], gone: 0 })).toBe('2 compared');
  expect(comparisonTitle({ shown, hidden: [rowOf('c0000000ff'), rowOf('d0000000ff')], gone: 0 })).toBe(
    '2 of 4 marked shown: no room for c0000000, d0000000',
  );
  expect(comparisonTitle({ shown, hidden: [], gone: 1 })).toBe('2 compared; 1 marked row no longer exists');
});

test('the mean curve includes running replicates, but the results include only finished replicates', () => {
  expect(curveTrials(replicated)).toEqual([first, second, running]);
  expect(resultsOf(replicated, 'test_loss')).toEqual([first.metrics.test_loss, second.metrics.test_loss]);
});

const FOUND: MeanDifference = { difference: 0.5, low: 0.2, high: 0.8, level: 0.975, verdict: 'higher', moreSeeds: '' };

test('a verdict states in words which row is better', () => {
  const words = (found: MeanDifference | undefined, minimize: boolean) =>
    comparisonVerdict(['b', 'a'], found, minimize);
  expect(words(FOUND, false)).toBe('b is better than a: +0.50000 (97.5% interval +0.20000 to +0.80000)');
  expect(words(FOUND, true)).toMatch(/^b is worse than a: /);
  expect(words({ ...FOUND, verdict: 'lower' }, true)).toMatch(/^b is better than a: /);
  expect(words({ ...FOUND, verdict: 'undecided', moreSeeds: '5 more seeds would help' }, true)).toBe(
    'no clear difference between b and a: +0.50000 (97.5% interval +0.20000 to +0.80000); 5 more seeds would help',
  );
  expect(words(undefined, true)).toBe('b and a cannot be compared: each needs two finished seeds');
  expect(comparisonVerdict(['b', 'a'], undefined, true, true)).toBe(
    'b and a cannot be compared: early stopping cut off some of their seeds',
  );
});
