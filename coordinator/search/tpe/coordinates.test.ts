import fc from 'fast-check';
import { expect, it } from 'vitest';
import { valueAt } from '../quantile.ts';
import { cellOf, type NumericDistribution } from './coordinates.ts';

const DISTRIBUTIONS: readonly NumericDistribution[] = [
  { kind: 'int_uniform', min: -2, max: 5 },
  { kind: 'uniform', min: -1, max: 3, q: undefined },
  { kind: 'uniform', min: 0.1, max: 0.9, q: 0.25 },
  { kind: 'log_uniform', min: 1e-4, max: 10, q: undefined },
  { kind: 'log_uniform', min: 1, max: 100, q: 3 },
  { kind: 'normal', mu: 2, sigma: 3, q: undefined },
  { kind: 'normal', mu: 2, sigma: 3, q: 0.5 },
  { kind: 'log_normal', mu: 0, sigma: 1, q: undefined },
  { kind: 'log_normal', mu: 0, sigma: 1, q: 0.5 },
  { kind: 'beta', a: 2, b: 3, q: undefined },
  { kind: 'beta', a: 2, b: 3, q: 0.1 },
];

it.each(DISTRIBUTIONS)('the cell of a value contains every coordinate that gives the value: %o', (distribution) => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), (u) => {
      const { low, high } = cellOf(distribution, Number(valueAt(distribution, u)));
      expect(low).toBeLessThanOrEqual(u + 1e-6);
      expect(high).toBeGreaterThanOrEqual(u - 1e-6);
    }),
  );
});

it.each(DISTRIBUTIONS)('the middle of a cell gives the value of the cell: %o', (distribution) => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), (u) => {
      const value = Number(valueAt(distribution, u));
      const { low, high } = cellOf(distribution, value);
      expect(Number(valueAt(distribution, (low + high) / 2))).toBeCloseTo(value, 5);
    }),
  );
});
