import fc from 'fast-check';
import { expect, test } from 'vitest';
import { holmRates } from './holm.ts';

test("what is rejected is what statsmodels' multipletests(p, method='holm') rejects", () => {
  const p = [0.01, 0.04, 0.03, 0.005];
  const rates = holmRates(p, 0.05);
  expect(p.map((value, index) => value <= (rates[index] ?? 0))).toEqual([true, false, false, true]);
  // From the first that fails on (0.03 > 0.05 / 2) the rate stays.
  expect(rates).toEqual([0.05 / 3, 0.025, 0.025, 0.0125]);
});

test('one test has the whole rate, and none has no rates', () => {
  expect(holmRates([0.2], 0.05)).toEqual([0.05]);
  expect(holmRates([], 0.05)).toEqual([]);
});

test('never stricter than Bonferroni, never laxer than a single test, and no p beyond a failing one is rejected', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 0.2, noNaN: true }), { minLength: 1, maxLength: 8 }), (p) => {
      const rates = holmRates(p, 0.05);
      const failing = Math.min(...p.filter((value, index) => value > (rates[index] ?? 0)), 1);
      for (const [index, rate] of rates.entries()) {
        expect(rate).toBeGreaterThanOrEqual(0.05 / p.length);
        expect(rate).toBeLessThanOrEqual(0.05);
        if ((p[index] ?? 0) > failing) expect(p[index]).toBeGreaterThan(rate);
      }
    }),
  );
});
