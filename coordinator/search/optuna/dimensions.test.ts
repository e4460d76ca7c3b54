import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ParameterValue } from '../../../proto/trainers.ts';
import { contains } from '../../search/warm-start.ts';
import type { Distribution } from '../distribution.ts';
import { OptunaDimensions } from './dimensions.ts';

const space = (distributions: Record<string, Distribution>) => new Map(Object.entries(distributions));

const KINDS: Record<string, Distribution> = {
  whole: { kind: 'int_uniform', min: -2, max: 9 },
  real: { kind: 'uniform', min: -1.5, max: 2.5, q: undefined },
  steps: { kind: 'uniform', min: 0.1, max: 0.95, q: 0.1 },
  logarithmic: { kind: 'log_uniform', min: 1e-4, max: 0.1, q: undefined },
  'logarithmic steps': { kind: 'log_uniform', min: 3, max: 1_000, q: 2 },
  normal: { kind: 'normal', mu: 3, sigma: 2, q: undefined },
  'normal steps': { kind: 'normal', mu: 3, sigma: 2, q: 0.5 },
  'log-normal': { kind: 'log_normal', mu: 0, sigma: 1, q: undefined },
  beta: { kind: 'beta', a: 2, b: 5, q: undefined },
  category: { kind: 'categorical', values: ['a', 'b', 3, true], probabilities: undefined },
  weighted: { kind: 'categorical', values: ['a', 'b', 'c'], probabilities: [0.2, 0, 0.8] },
};

/** Returns Optuna's value at the given share of the parameter's range. */
function chosenAt(dimensions: OptunaDimensions, share: number): number {
  const [parameter] = dimensions.space.parameters;
  if (parameter === undefined) throw new Error('the parameter does not vary');
  if (parameter.kind === 'categorical') return Math.floor(share * parameter.choices);
  if (parameter.kind === 'int') return Math.floor(parameter.low + share * (parameter.high - parameter.low + 1));
  return parameter.low + share * (parameter.high - parameter.low);
}

describe.each(Object.entries(KINDS))('%s', (_, distribution) => {
  const dimensions = new OptunaDimensions(space({ p: distribution }), []);

  test('each value of Optuna gives a valid point, and a conversion of the point to Optuna and back gives the same point', () => {
    const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(share, (at) => {
        const point = dimensions.pointOf({ p: chosenAt(dimensions, at) });
        expect(contains(distribution, point.p as ParameterValue)).toBe(true);
        const again = dimensions.pointOf(dimensions.valuesOf(point));
        if (typeof point.p === 'number') expect(again.p).toBeCloseTo(point.p, 6);
        else expect(again).toEqual(point);
      }),
    );
  });
});

test('Optuna receives the kind, limits and scale of each parameter that has more than one value', () => {
  const { parameters } = new OptunaDimensions(
    space({ ...KINDS, fixed: { kind: 'constant', value: 1 }, single: { kind: 'int_uniform', min: 2, max: 2 } }),
    [],
  ).space;
  expect(parameters).toEqual([
    { name: 'whole', kind: 'int', low: -2, high: 9, log: false },
    { name: 'real', kind: 'float', low: -1.5, high: 2.5, log: false },
    { name: 'steps', kind: 'int', low: 1, high: 9, log: false },
    { name: 'logarithmic', kind: 'float', low: 1e-4, high: 0.1, log: true },
    { name: 'logarithmic steps', kind: 'int', low: 2, high: 500, log: true },
    ...['normal', 'normal steps', 'log-normal', 'beta'].map((name) => ({
      name,
      ...{ kind: 'float', low: 0, high: 1, log: false },
    })),
    { name: 'category', kind: 'categorical', choices: 4 },
    { name: 'weighted', kind: 'float', low: 0, high: 1, log: false },
  ]);
});

describe('rules of `when`', () => {
  const dimensions = new OptunaDimensions(
    space({
      momentum: { kind: 'uniform', min: 0, max: 1, q: undefined },
      optimizer: { kind: 'categorical', values: ['adam', 'sgd'], probabilities: undefined },
      layers: { kind: 'int_uniform', min: 1, max: 4 },
      fixed: { kind: 'constant', value: 7 },
    }),
    [
      { conditions: [{ name: 'optimizer', anyOf: ['adam'] }], set: { momentum: 0, epochs: 3 } },
      { conditions: [{ name: 'fixed', anyOf: [8] }], set: { momentum: 0 } },
      { conditions: [{ name: 'layers', anyOf: [1, 2] }], set: { optimizer: 'sgd' } },
    ],
  );

  test('parameters in conditions come first, and a rule that cannot apply is left out', () => {
    expect(dimensions.space.parameters.map(({ name }) => name)).toEqual(['optimizer', 'layers', 'momentum']);
    expect(dimensions.space.rules).toEqual([
      { conditions: [{ name: 'optimizer', anyOf: [[0, 0]] }], set: ['momentum'] },
    ]);
  });

  test('a parameter without an effect has no value in Optuna, and may have any value in the point', () => {
    const values = dimensions.valuesOf({ momentum: 0, optimizer: 'adam', layers: 2, fixed: 7 });
    expect({ ...values }).toEqual({ optimizer: 0, layers: 2 });
    expect({ ...dimensions.pointOf(values) }).toEqual({ momentum: 0.5, optimizer: 'adam', layers: 2, fixed: 7 });
  });
});
