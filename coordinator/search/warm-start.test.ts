import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Distribution } from './distribution.ts';
import { valueAt } from './quantile.ts';
import {
  contains,
  kindsOfSpace,
  MAX_WARM_RESULTS,
  spaceDifference,
  warmStartOf,
  warmStartWarning,
} from './warm-start.ts';

const x: Distribution = { kind: 'uniform', min: 0, max: 1, q: undefined };
const opt: Distribution = { kind: 'categorical', values: ['adam', 'sgd'], probabilities: undefined };
const always = () => true;
const config = (parameters: Record<string, number | string>, value?: number) => ({
  parameters,
  value,
  lacksMetric: false,
});

test('two spaces whose parameters have the same names and kinds count as equal, even if the limits differ', () => {
  const own = kindsOfSpace(
    new Map<string, Distribution>([
      ['x', x],
      ['opt', opt],
    ]),
  );
  const earlier = kindsOfSpace(
    new Map<string, Distribution>([
      ['opt', { kind: 'constant', value: 'lion' }],
      ['x', { kind: 'categorical', values: [1, 2], probabilities: undefined }],
    ]),
  );
  expect(spaceDifference(own, earlier)).toBeUndefined();
});

test('the difference between two spaces names the parameters that differ', () => {
  const both = kindsOfSpace(
    new Map<string, Distribution>([
      ['x', x],
      ['opt', opt],
    ]),
  );
  const one = kindsOfSpace(new Map<string, Distribution>([['x', x]]));
  expect(spaceDifference(both, one)).toBe('has no parameter "opt"');
  expect(spaceDifference(one, both)).toBe('has parameter "opt", which this file lacks');
  expect(spaceDifference(one, kindsOfSpace(new Map<string, Distribution>([['x', opt]])))).toBe(
    'has values other than numbers in parameter "x", but this file has only numbers',
  );
});

const DISTRIBUTIONS: readonly Distribution[] = [
  { kind: 'constant', value: 'a' },
  opt,
  { kind: 'int_uniform', min: -2, max: 5 },
  x,
  { kind: 'log_uniform', min: 1e-4, max: 10, q: undefined },
  { kind: 'log_uniform', min: 1, max: 100, q: 3 },
  { kind: 'normal', mu: 2, sigma: 3, q: undefined },
  { kind: 'log_normal', mu: 0, sigma: 1, q: 0.5 },
  { kind: 'beta', a: 2, b: 3, q: undefined },
];

test.each(DISTRIBUTIONS)('a distribution contains each of its values: %o', (distribution) => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), (u) => {
      expect(contains(distribution, valueAt(distribution, u))).toBe(true);
    }),
  );
});

test.each<[Distribution, number | string]>([
  [x, 1.1],
  [x, '0.5'],
  [opt, 'lion'],
  [{ kind: 'int_uniform', min: 0, max: 5 }, 2.5],
  [{ kind: 'log_normal', mu: 0, sigma: 1, q: undefined }, 0],
  [{ kind: 'beta', a: 1, b: 1, q: undefined }, -0.1],
  [{ kind: 'constant', value: 3 }, 4],
])('a distribution %o does not contain %s', (distribution, value) => {
  expect(contains(distribution, value)).toBe(false);
});

test('a warm start leaves out and counts configs that are outside the space or have no metric', () => {
  const warm = warmStartOf(
    [config({ x: 0.5 }, 1), config({ x: 2 }, 0), config({ x: 0.1 }), { ...config({ x: 0.2 }), lacksMetric: true }],
    new Map([['x', x]]),
    always,
  );
  expect(warm).toEqual({
    results: [
      { parameters: { x: 0.5 }, value: 1 },
      { parameters: { x: 0.1 }, value: undefined },
    ],
    outsideValues: [{ name: 'x', value: 2, distribution: x, configs: 1 }],
    outside: 1,
    withoutMetric: 1,
    older: 0,
  });
  expect(warmStartWarning(warm, 'loss')).toEqual({
    message:
      '2 of 4 configs of the earlier sweeps are left out (1 outside the space: for example, x is 2 in an earlier sweep, but uniform from 0 to 1 in this sweep; 1 without the metric loss)',
    count: 2,
  });
});

test('a parameter without an effect may have a value outside the space', () => {
  const { results } = warmStartOf([config({ x: 7 }, 1)], new Map([['x', x]]), () => false);
  expect(results).toHaveLength(1);
});

test('a warm start uses at most MAX_WARM_RESULTS configs, and prefers the newest', () => {
  const configs = Array.from({ length: MAX_WARM_RESULTS + 3 }, (_, index) => config({ x: 0 }, index));
  const warm = warmStartOf(configs, new Map([['x', x]]), always);
  expect(warm.results).toHaveLength(MAX_WARM_RESULTS);
  expect(warm.results[0]?.value).toBe(3);
  expect(warm.older).toBe(3);
});

test('a warm start without an ended trial gives a warning, and a warm start that uses all configs gives none', () => {
  const space = new Map([['x', x]]);
  expect(warmStartWarning(warmStartOf([], space, always), 'loss')).toEqual({
    message:
      'no trial of the earlier sweeps had ended when this sweep was submitted, and results that arrive later are not used',
    count: 0,
  });
  expect(warmStartWarning(warmStartOf([config({ x: 0 }, 1)], space, always), 'loss')).toBeUndefined();
});
