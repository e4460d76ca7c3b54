import fc from 'fast-check';
import { expect, test } from 'vitest';
import { distinctValues, independentParameters, levelsOf, valueText, varyingParameters } from './parameter-levels.ts';

test('numeric levels are sorted, and texts and flags keep their order', () => {
  expect(distinctValues([10, 9, undefined, 10, 1e-5])).toEqual([1e-5, 9, 10]);
  expect(distinctValues(['sgd', 'adam', 'sgd'])).toEqual(['sgd', 'adam']);
  expect(distinctValues([true, 3, false])).toEqual([true, 3, false]);
});

test('numeric levels are written without floating-point rounding errors', () => {
  expect([0, 0.1 + 0.2, 1e-5, 60_000, 1e9, true, 'a'].map(valueText)).toEqual([
    ...['0', '0.3', '1e-5', '60000', '1e+9', 'true', 'a'],
  ]);
});

test('every number is in exactly one level, even if there are few numbers', () => {
  const numbers = fc.uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 12 }), (values, most) => {
      const levels = levelsOf(distinctValues(values), most) ?? [];
      expect(levels.length).toBe(Math.min(most, new Set(values).size));
      for (const value of values) expect(levels.filter(({ has }) => has(value))).toHaveLength(1);
    }),
  );
});

test('a text parameter with too many values has no levels', () => {
  expect(levelsOf(['a', 'b', 'c'], 2)).toBeUndefined();
  expect(levelsOf(['a', 'b', 'c'], 3)?.map(({ label }) => label)).toEqual(['a', 'b', 'c']);
});

test('varying parameters are listed with the axes first; a parameter that another parameter determines is not independent', () => {
  const parameters = [3, 5].flatMap((depth) =>
    [15, 30].map((latent) => ({ depth, latent, epochs: depth === 5 ? 13 : 10, batch: 64 })),
  );
  const varying = varyingParameters(parameters, ['latent', 'depth']);
  expect(varying).toEqual(['latent', 'depth', 'epochs']);
  expect(independentParameters(parameters, varying, new Set(['latent', 'depth']))).toEqual(['latent', 'depth']);
});
