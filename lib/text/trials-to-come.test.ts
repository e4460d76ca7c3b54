import { expect, test } from 'vitest';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { noCounts, trialsToCome, trialTotal } from '../domain/trial-state.ts';
import { percentText, progressText, toComeText, totalText } from './trials-to-come.ts';

const sweepOf = (planned: number | undefined, searching: boolean) =>
  ({ planned, searching, counts: { ...noCounts(), pending: 900, succeeded: 100 } }) as Sweep;

test('the trials to come are the planned trials that have not been created yet', () => {
  const sweep = sweepOf(1_000_000, true);
  expect([trialTotal(sweep), trialsToCome(sweep)]).toEqual([1_000_000, 999_000]);
  expect([totalText(sweep), toComeText(sweep)]).toEqual(['1,000,000 trials', '999,000 to come']);
});

test('a sweep that was stopped has no trials to come', () => {
  const sweep = sweepOf(1_000_000, false);
  expect([trialTotal(sweep), trialsToCome(sweep), toComeText(sweep)]).toEqual([1_000, 0, '']);
});

test('without a limit, the total counts the trials created so far, and texts show that more trials will come', () => {
  const sweep = sweepOf(undefined, true);
  expect([trialTotal(sweep), trialsToCome(sweep)]).toEqual([1_000, Number.POSITIVE_INFINITY]);
  expect([totalText(sweep), toComeText(sweep)]).toEqual(['trials without limit', 'more to come']);
  expect([progressText(sweep), percentText(sweep)]).toEqual(['100/∞', '-']);
});

test('if the number of trials is an upper bound, it is marked as such, and the percentage is marked as a lower bound', () => {
  const sweep = { ...sweepOf(2_000, true), plannedAtMost: true };
  expect([totalText(sweep), toComeText(sweep)]).toEqual(['at most 2,000 trials', 'at most 1,000 to come']);
  expect([progressText(sweep), percentText(sweep)]).toEqual(['100/≤2000', '≥5%']);
});

test('the number of trials is exact once all trials are created', () => {
  for (const sweep of [sweepOf(2_000, false), sweepOf(1_000, true)]) {
    const bound = { ...sweep, plannedAtMost: true };
    expect([totalText(bound), progressText(bound), percentText(bound)]).toEqual(['1,000 trials', '100/1000', '10%']);
  }
});
