import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Distribution } from './distribution.ts';
import { drawingProblem, valueAt } from './quantile.ts';

const at = (distribution: Distribution, ...us: number[]) => us.map((u) => valueAt(distribution, u));
const plain = { q: undefined };

describe('values', () => {
  test('uniform distributions map a share to the value at this share of the range, on a linear or logarithmic scale', () => {
    expect(at({ kind: 'uniform', min: 2, max: 4, ...plain }, 0.25, 0.5)).toEqual([2.5, 3]);
    expect(at({ kind: 'int_uniform', min: 1, max: 4 }, 0.001, 0.2499, 0.25, 0.999)).toEqual([1, 1, 2, 4]);
    expect(at({ kind: 'log_uniform', min: 1e-4, max: 1, ...plain }, 0.25, 0.5, 0.75)).toEqual([0.001, 0.01, 0.1]);
  });

  test('the values of a list are drawn in proportion to their probabilities', () => {
    const values = ['a', 'b', 'c'];
    expect(at({ kind: 'categorical', values, probabilities: undefined }, 0.3, 0.4, 0.9)).toEqual(values);
    const never = { kind: 'categorical', values, probabilities: [0.5, 0.5, 0] } as const;
    expect(at(never, 0.49, 0.51, 1 - 2 ** -53)).toEqual(['a', 'b', 'b']);
    expect(at({ kind: 'constant', value: 'x' }, 0.5)).toEqual(['x']);
  });

  // Expected values from SciPy 1.17.1: norm.ppf(u, 1, 2), its exponential, and beta.ppf(u, 2, 5).
  test.each([
    [0.01, -3.6526957480816815, 0.026763191142755053],
    [0.25, -0.3489795003921634, 0.16116291679032652],
    [0.9, 3.5631031310892007, 0.5103163065514917],
  ])('normal and beta distributions have the quantiles of SciPy at %d', (u, normal, beta) => {
    expect(valueAt({ kind: 'normal', mu: 1, sigma: 2, ...plain }, u)).toBeCloseTo(normal, 8);
    expect(valueAt({ kind: 'log_normal', mu: 1, sigma: 2, ...plain }, u)).toBeCloseTo(Math.exp(normal), 6);
    expect(valueAt({ kind: 'beta', a: 2, b: 5, ...plain }, u)).toBeCloseTo(beta, 8);
  });

  test('values of a distribution with q are multiples of q in decimal arithmetic, and stay within the limits', () => {
    const fifths = { kind: 'uniform', min: 0.1, max: 0.5, q: 0.2 } as const;
    expect(at(fifths, 0.01, 0.45, 0.99)).toEqual([0.2, 0.2, 0.4]);
    expect(at({ kind: 'uniform', min: 0, max: 1, q: 0.1 }, 0.3)).toEqual([0.3]);
    expect(at({ kind: 'normal', mu: 0, sigma: 1, q: 0.5 }, 0.5, 0.8)).toEqual([0, 1]);
    // The range contains no multiple of q.
    expect(at({ kind: 'uniform', min: 0.2, max: 0.3, q: 1 }, 0.5)).toEqual([0]);
  });
});

const limits = fc.tuple(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), fc.double({ min: 1, max: 1e6, noNaN: true }));
const share = fc.double({ min: 0, max: 1, minExcluded: true, maxExcluded: true, noNaN: true });

test('the values of a distribution stay within its limits, and do not decrease as the share increases', () => {
  fc.assert(
    fc.property(
      limits,
      fc.constantFrom('uniform' as const, 'log_uniform' as const),
      fc.option(fc.constantFrom(0.01, 0.1, 1, 3), { nil: undefined }),
      share,
      share,
      ([min, factor], kind, q, u, v) => {
        const max = min * factor;
        const [low, high] = at({ kind, min, max, q }, Math.min(u, v), Math.max(u, v)) as number[];
        expect(low).toBeLessThanOrEqual(high ?? Number.NaN);
        const holdsMultiple = q === undefined || Math.ceil(min / q) < Math.floor(max / q);
        if (holdsMultiple) {
          expect(low).toBeGreaterThanOrEqual(min * (1 - 1e-12));
          expect(high).toBeLessThanOrEqual(max * (1 + 1e-12));
        }
      },
    ),
  );
});

const BIGGEST = Number.MAX_VALUE;

test('values of a range that is wider than the largest number are spread over the whole range', () => {
  const wide = { min: -1.7e308, max: 1.7e308 };
  expect(at({ kind: 'uniform', ...wide, ...plain }, 0.25, 0.5, 0.75)).toEqual([-0.85e308, 0, 0.85e308]);
  expect(at({ kind: 'int_uniform', ...wide }, 0.5)).toEqual([0]);
  expect(valueAt({ kind: 'int_uniform', ...wide }, 0.75)).toBeCloseTo(0.85e308, -300);
  const logs = at({ kind: 'log_uniform', min: 5e-324, max: 8e307, ...plain }, 0.001, 0.5, 0.999) as number[];
  expect(logs.map((value) => Math.round(Math.log10(value)))).toEqual([-323, -8, 307]);
});

test.each([
  [{ kind: 'beta', a: 1e300, b: 1e300, ...plain }, 'a (1e+300) and b (1e+300) must be from 0.0001 to 100000'],
  [{ kind: 'uniform', min: 0, max: 1, q: 5e-324 }, 'q (5e-324) is too small'],
  [{ kind: 'normal', mu: 0, sigma: 1, q: 5e-324 }, 'q (5e-324) is too small'],
  [{ kind: 'uniform', min: 0.1, max: 1, q: 1e300 }, 'no multiple of q (1e+300) is between 0.1 and 1'],
  [{ kind: 'log_uniform', min: 0.2, max: 0.3, q: 1 }, 'no multiple of q (1) is between 0.2 and 0.3'],
  [{ kind: 'normal', mu: 1e308, sigma: 1e308, ...plain }, 'give values beyond the largest number'],
  [{ kind: 'log_normal', mu: 0, sigma: 100, q: 1 }, 'give values beyond the largest number'],
  [{ kind: 'log_normal', mu: -800, sigma: 1, ...plain }, 'give only the value 0'],
] as const)('values of %j cannot be drawn, and the reason is returned', (distribution, reason) => {
  expect(drawingProblem(distribution)).toContain(reason);
});

const anyNumber = fc.double({ noNaN: true, noDefaultInfinity: true });
const anyQ = fc.option(fc.double({ min: 5e-324, noNaN: true, noDefaultInfinity: true }), { nil: undefined });
const positive = fc.double({ min: 5e-324, noNaN: true, noDefaultInfinity: true });
const anyRange = fc.tuple(anyNumber, anyNumber).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }));
const positiveRange = fc.tuple(positive, positive).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }));
const moments = fc.record({
  mu: anyNumber,
  sigma: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  q: anyQ,
});
const shapes = fc.record({
  a: fc.oneof(positive, fc.double({ min: 1e-4, max: 1e5, noNaN: true })),
  b: fc.oneof(positive, fc.double({ min: 1e-4, max: 1e5, noNaN: true })),
  q: anyQ,
});
const anyDistribution: fc.Arbitrary<Distribution> = fc.oneof(
  fc.tuple(anyRange, anyQ).map(([range, q]) => ({ kind: 'uniform' as const, ...range, q })),
  anyRange.map(({ min, max }) => ({ kind: 'int_uniform' as const, min: Math.floor(min), max: Math.floor(max) })),
  fc.tuple(positiveRange, anyQ).map(([range, q]) => ({ kind: 'log_uniform' as const, ...range, q })),
  moments.map((all) => ({ kind: 'normal' as const, ...all })),
  moments.map((all) => ({ kind: 'log_normal' as const, ...all })),
  shapes.map((all) => ({ kind: 'beta' as const, ...all })),
);

test('if the values of a distribution can be drawn, every value is finite and within the limits', () => {
  fc.assert(
    fc.property(anyDistribution, share, (distribution, u) => {
      fc.pre(drawingProblem(distribution) === undefined);
      const value = valueAt(distribution, u) as number;
      expect(value).toSatisfy(Number.isFinite);
      if (!('min' in distribution)) return;
      const { min, max } = distribution;
      const slack = 1e-12 * Math.max(Math.abs(min), Math.abs(max));
      expect(value).toBeGreaterThanOrEqual(Math.max(-BIGGEST, min - slack));
      expect(value).toBeLessThanOrEqual(Math.min(BIGGEST, max + slack));
    }),
  );
});
