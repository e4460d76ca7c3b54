import jStat from 'jstat';
import { expect, test } from 'vitest';
import { lookLevels } from './group-sequential.ts';

const SHARES = [0.2, 0.4, 0.6, 0.8, 1];
const boundaries = (levels: readonly number[]) => levels.map((level) => jStat.normal.inv(1 - level / 2, 0, 1));

test("five looks with the error spending of O'Brien and Fleming have the published boundaries", () => {
  // The error spending and the boundaries are those of two-sided tests at 5% in Lan and DeMets, Biometrika 70, 1983.
  const quantile = jStat.normal.inv(1 - 0.0125, 0, 1);
  const spent = SHARES.map((share) => 4 * (1 - jStat.normal.cdf(quantile / Math.sqrt(share), 0, 1)));
  const published = [4.8769, 3.3569, 2.6803, 2.2898, 2.031];
  for (const [look, boundary] of boundaries(lookLevels(SHARES, spent)).entries()) {
    expect(boundary).toBeCloseTo(published[look] ?? Number.NaN, 2);
  }
});

test('a single look spends the whole error rate', () => {
  expect(lookLevels([1], [0.05])[0]).toBeCloseTo(0.05, 6);
});

test('the level of the last look is above the error rate that this look spends, and below the whole error rate', () => {
  const levels = lookLevels(
    SHARES,
    SHARES.map((share) => 0.05 * share ** 2),
  );
  const last = levels.at(-1) ?? Number.NaN;
  expect(last).toBeLessThan(0.05);
  // Later looks are correlated with earlier looks, so the level of a later look exceeds the error rate that it spends.
  expect(last).toBeGreaterThan(0.05 * (1 - 0.8 ** 2));
});
