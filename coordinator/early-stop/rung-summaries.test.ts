import { expect, test } from 'vitest';
import { type RungEntryRow, rungSummaries } from './rung-summaries.ts';

const entry = (rung: number, value: number, state: RungEntryRow['state'], isLast: boolean): RungEntryRow => ({
  ...{ rung, value, state, isLast },
});

const ROWS = [
  entry(1, 0.5, 'succeeded', false),
  entry(1, 0.7, 'stopped', true),
  entry(1, 0.6, 'running', false),
  entry(1, 0.9, 'stopped', true),
  entry(3, 0.3, 'succeeded', true),
  entry(3, 0.4, 'running', true),
];

const ASHA = { type: 'asha', minIter: 1, maxIter: undefined, eta: 2 } as const;

test('the summary of a rung states the bound, how many trials reached the rung, and how many were stopped there', () => {
  expect(rungSummaries(ROWS, ASHA, 'minimize')).toEqual([
    { rung: 1, reached: 4, stopped: 2, running: 0, held: 0, best: 0.5, bound: 0.6 },
    { rung: 3, reached: 2, stopped: 0, running: 1, held: 0, best: 0.3, bound: 0.3 },
  ]);
});

test('the best value of a maximized metric is the highest value, and the bound is not above the best value', () => {
  expect(rungSummaries(ROWS, ASHA, 'maximize')).toMatchObject([
    { rung: 1, best: 0.9, bound: 0.7 },
    { rung: 3, best: 0.4, bound: 0.4 },
  ]);
});

test('the bound of hyperband and of the median rule is the value with which the rule compares trials', () => {
  const hyperband = { type: 'hyperband', steps: { minIter: 1 }, eta: 2, strict: false } as const;
  expect(rungSummaries(ROWS, hyperband, 'minimize').map(({ bound }) => bound)).toEqual([0.7, 0.4]);
  const median = { type: 'median', minIter: 1, minTrials: 3 } as const;
  expect(rungSummaries(ROWS, median, 'minimize').map(({ bound }) => bound)).toEqual([expect.closeTo(0.65), undefined]);
});
