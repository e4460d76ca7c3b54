import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Distribution } from './distribution.ts';
import { valueAt } from './quantile.ts';

const at = (distribution: Distribution, ...us: number[]) => us.map((u) => valueAt(distribution, u));
const plain = { q: undefined };

describe('values', () => {
  test('a uniform distribution maps a share to the value at this share of its scale', () => {
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
