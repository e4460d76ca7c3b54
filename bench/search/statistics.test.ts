import { expect, it } from 'vitest';
import { holm, signedRankP } from './statistics.ts';

it('the signed-rank test gives the p-values of scipy.stats.wilcoxon(method="approx", correction=False)', () => {
  expect(signedRankP([0.5, -0.2, 1.1, 0.7, -0.3, 0.9, 0.7, 0, 2.1, -0.7, 0.4, 1.5])).toBeCloseTo(
    0.03250944464571951,
    6,
  );
  expect(signedRankP([1, -1, 2, -2])).toBe(1);
  expect(signedRankP([0, 0])).toBe(1);
});

it("Holm's correction multiplies the smallest p-value by the number of tests, and keeps the order of the p-values", () => {
  expect(holm([0.04, 0.01, 0.03])).toEqual([0.06, 0.03, 0.06]);
  expect(holm([0.9, 0.8])).toEqual([1, 1]);
});
