import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalDeviates } from '../../test/support/normal-deviates.ts';
import {
  type Cell,
  contrastOf,
  fTail,
  holmRates,
  intervalOf,
  MAX_SEEDS_NEEDED,
  pValueOf,
  seedsNeeded,
  tQuantile,
  tTwoSided,
} from './statistics.ts';

const A = [0.0412, 0.0405, 0.0431];
const B = [0.0351, 0.0363, 0.0349, 0.0371];

const minus = (left: readonly number[], right: readonly number[]): Cell[] => [
  { weight: 1, values: left },
  { weight: -1, values: right },
];

test('quantiles and tail probabilities agree with scipy', () => {
  // Expected values from scipy.stats: t.ppf(.975, 2), t.ppf(.975, 1.3), t.ppf(.999999, 4), 2 * t.cdf(-3.2, 2.7) and
  // f.sf(300, 3, 40).
  expect(tQuantile(0.975, 2)).toBeCloseTo(4.302652729749462, 8);
  expect(tQuantile(0.975, 1.3)).toBeCloseTo(7.500529325562029, 8);
  expect(tQuantile(0.999999, 4)).toBeCloseTo(41.5778541501515, 8);
  expect(tTwoSided(3.2, 2.7)).toBeCloseTo(2 * 0.02853907792231489, 10);
  expect(fTail(300, 3, 40) / 1.9082655610899816e-27).toBeCloseTo(1, 8);
});

test("a contrast of two cells is Welch's test", () => {
  // Expected: pvalue, df and confidence_interval(.95) of the result of scipy.stats.ttest_ind(A, B, equal_var=False).
  const contrast = contrastOf(minus(A, B));
  expect(pValueOf(contrast)).toBeCloseTo(0.0045767043276861066, 10);
  expect(contrast.df).toBeCloseTo(3.6926261490939214, 10);
  const { low, high } = intervalOf(contrast, 0.95);
  expect(low).toBeCloseTo(0.003069189902612349, 10);
  expect(high).toBeCloseTo(0.008430810097387647, 10);
  // Expected, with numpy: (mean(A) - mean(B)) / pooled standard deviation * (1 - 3 / (4 * 5 - 1))
  expect(contrast.g).toBeCloseTo(4.136889711049578, 10);
});

test("a contrast over several settings is the mean of their differences, with Satterthwaite's degrees of freedom", () => {
  // Expected values from numpy and scipy.stats.t.ppf. A cell has weight w, mean m, standard deviation s and n values.
  // Effect: sum(w m). Variance: V = sum(w² s² / n). Degrees of freedom: V² / sum((w² s² / n)² / (n - 1)).
  const settings = [
    [1.0, 1.2, 1.1],
    [0.8, 0.9, 0.7],
    [2.0, 2.4, 2.1],
    [1.9, 1.5, 1.6],
  ];
  const contrast = contrastOf(settings.map((values, index) => ({ weight: index % 2 === 0 ? 0.5 : -0.5, values })));
  expect(contrast.effect).toBeCloseTo(0.4, 12);
  expect(contrast.df).toBeCloseTo(5.752808988764046, 9);
  const { low, high } = intervalOf(contrast, 0.95);
  expect(low).toBeCloseTo(0.16687861777638874, 8);
  expect(high).toBeCloseTo(0.6331213822236108, 8);
});

const values = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 2, maxLength: 6 });

test('an effect is negated if the sides are swapped, and is unchanged if a constant is added to all values', () => {
  fc.assert(
    fc.property(values, values, fc.integer({ min: -5, max: 5 }), (left, right, shift) => {
      const there = contrastOf(minus(left, right));
      const back = contrastOf(minus(right, left));
      expect(back.effect).toBeCloseTo(-there.effect, 12);
      expect(pValueOf(back)).toBeCloseTo(pValueOf(there), 12);
      fc.pre(there.standardError > 1e-6);
      const moved = contrastOf(
        minus(
          left.map((v) => v + shift),
          right.map((v) => v + shift),
        ),
      );
      expect(moved.effect).toBeCloseTo(there.effect, 12);
      expect(moved.standardError).toBeCloseTo(there.standardError, 12);
    }),
  );
});

test('cells without variation have an interval of width 0', () => {
  const same = contrastOf(minus([2, 2], [1, 1]));
  expect([intervalOf(same, 0.95), pValueOf(same), same.g]).toEqual([{ low: 1, high: 1 }, 0, Number.POSITIVE_INFINITY]);
  expect(contrastOf(minus([0.1, 0.1, 0.1], [0.7, 0.7, 0.7])).standardError).toBe(0);
  const equal = contrastOf(minus([1, 1], [1, 1]));
  expect([intervalOf(equal, 0.95), pValueOf(equal), equal.g]).toEqual([{ low: 0, high: 0 }, 1, 0]);
});

test.each([
  [3, 1],
  [3, 4],
  [5, 2],
])(
  'about 95% of simulated intervals contain the true effect, with %i seeds and standard deviations of 1 and %i',
  (n, ratio) => {
    const normal = normalDeviates(42);
    const draw = (mean: number, std: number) => Array.from({ length: n }, () => mean + std * normal());
    let covered = 0;
    for (let run = 0; run < 2_000; run++) {
      const { low, high } = intervalOf(contrastOf(minus(draw(3, 1), draw(1, ratio))), 0.95);
      if (low <= 2 && 2 <= high) covered += 1;
    }
    // In published simulations with 3 seeds, 94 to 97% of Welch's intervals contain the effect. The standard error of
    // the share of intervals that is measured here is about 0.5%.
    expect(covered / 2_000).toBeGreaterThan(0.93);
    expect(covered / 2_000).toBeLessThan(0.985);
  },
);

test('seedsNeeded returns the smallest n that satisfies the formula', () => {
  // Expected, with scipy: the smallest n with |d| >= (t.ppf(.975, df) + t.ppf(.8, df)) * sqrt(va / n + vb / n), where d
  // is the difference of the means, and va and vb are the variances of the two sides.
  expect(seedsNeeded(minus([1.0, 1.6, 0.7], [0.9, 0.8, 1.1]), 0.95)).toBe(68);
});

test('a clear effect needs few seeds, and an effect no larger than chance needs more seeds than the limit', () => {
  expect(seedsNeeded(minus([1, 1.1, 0.9], [2, 2.1, 1.9]), 0.95)).toBeLessThanOrEqual(4);
  expect(seedsNeeded(minus([1, 2, 3], [1, 2, 3.0001]), 0.95)).toBeUndefined();
  expect(seedsNeeded(minus([1, 1], [1, 1]), 0.95)).toBeUndefined();
  expect(MAX_SEEDS_NEEDED).toBeGreaterThan(68);
});

test("holmRates rejects the same tests as statsmodels' multipletests(p, method='holm')", () => {
  const p = [0.01, 0.04, 0.03, 0.005];
  const rates = holmRates(p, 0.05);
  expect(p.map((value, index) => value <= (rates[index] ?? 0))).toEqual([true, false, false, true]);
  expect(rates).toEqual([0.05 / 3, 0.025, 0.025, 0.0125]);
});

test('a single test gets the full error rate, and an empty list of tests has no rates', () => {
  expect(holmRates([0.2], 0.05)).toEqual([0.05]);
  expect(holmRates([], 0.05)).toEqual([]);
});

test('Holm rates are between the Bonferroni rate and the full rate; if a p-value exceeds its rate, all larger p-values do too', () => {
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
