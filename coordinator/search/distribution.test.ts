import { describe, expect, test } from 'vitest';
import { DISTRIBUTION_NAMES, distributionOf } from './distribution.ts';

test.each([
  [{ value: 3 }, { kind: 'constant', value: 3 }],
  [{ values: [1, 'a'] }, { kind: 'categorical', values: [1, 'a'], probabilities: undefined }],
  [
    { values: [1, 2], probabilities: [1, 3] },
    { kind: 'categorical', values: [1, 2], probabilities: [0.25, 0.75] },
  ],
  [
    { min: 1, max: 3 },
    { kind: 'int_uniform', min: 1, max: 3 },
  ],
  [
    { min: 0.5, max: 0.99 },
    { kind: 'uniform', min: 0.5, max: 0.99, q: undefined },
  ],
  [
    { distribution: 'uniform', min: 1, max: 3 },
    { kind: 'uniform', min: 1, max: 3, q: undefined },
  ],
  [
    { distribution: 'q_uniform', min: 1, max: 3 },
    { kind: 'uniform', min: 1, max: 3, q: 1 },
  ],
  [
    { distribution: 'q_uniform', min: 1, max: 3, q: 0.5 },
    { kind: 'uniform', min: 1, max: 3, q: 0.5 },
  ],
  [
    { distribution: 'log_uniform_values', min: 0.001, max: 0.1 },
    { kind: 'log_uniform', min: 0.001, max: 0.1, q: undefined },
  ],
  [
    { distribution: 'log_uniform', min: 0, max: 0 },
    { kind: 'log_uniform', min: 1, max: 1, q: undefined },
  ],
  [
    { distribution: 'inv_log_uniform_values', min: 1, max: 2 },
    { kind: 'log_uniform', min: 1, max: 2, q: undefined },
  ],
  [{ distribution: 'normal' }, { kind: 'normal', mu: 0, sigma: 1, q: undefined }],
  [
    { distribution: 'q_log_normal', mu: 2 },
    { kind: 'log_normal', mu: 2, sigma: 1, q: 1 },
  ],
  [
    { distribution: 'beta', a: 2 },
    { kind: 'beta', a: 2, b: 1, q: undefined },
  ],
] as const)('%j is a valid distribution', (entry, expected) => {
  expect(distributionOf(entry)).toEqual(expected);
});

test('the limits of log_uniform are exponents of e, and the limits of inv_log_uniform are negated exponents', () => {
  expect(distributionOf({ distribution: 'log_uniform', min: -9, max: -2 })).toMatchObject({
    min: Math.exp(-9),
    max: Math.exp(-2),
  });
  expect(distributionOf({ distribution: 'inv_log_uniform', min: 2, max: 9 })).toMatchObject({
    min: Math.exp(-9),
    max: Math.exp(-2),
  });
});

test('whole limits that are written as floats, such as 1.0, give a uniform distribution of real numbers', () => {
  expect(distributionOf({ min: 1, max: 3 }, true)).toMatchObject({ kind: 'uniform' });
});

describe('invalid distributions', () => {
  test.each([
    [{}, 'expected "value", "values", "min" and "max", or "distribution"'],
    [{ min: 1 }, 'expected "value", "values", "min" and "max", or "distribution"'],
    [{ distribution: 'uniform', min: 1 }, 'distribution uniform needs "max"'],
    [{ distribution: 'normal', min: 1 }, 'distribution normal takes "mu", "sigma", not "min"'],
    [{ min: 3, max: 1 }, 'max (1) must be at least min (3)'],
    [{ distribution: 'int_uniform', min: 1, max: 2.5 }, 'min (1) and max (2.5) must be whole numbers'],
    [{ distribution: 'log_uniform_values', min: 0, max: 1 }, 'min (0) must be above 0'],
    [{ distribution: 'log_uniform', min: 1, max: 1000 }, 'write log_uniform_values'],
    [{ distribution: 'q_normal', q: 0 }, 'q (0) must be above 0'],
    [{ distribution: 'normal', sigma: -1 }, 'sigma (-1) must not be below 0'],
    [{ distribution: 'beta', a: 0 }, 'a (0) and b (1) must be above 0'],
    [{ values: [1, 2], probabilities: [1] }, '2 values need as many probabilities; got 1'],
    [{ values: [1], probabilities: [0] }, 'at least one must be above 0'],
  ] as const)('the distribution %j is rejected with a reason', (entry, reason) => {
    expect(distributionOf(entry)).toContain(reason);
  });
});

test('every distribution of W&B is supported under its name', () => {
  expect([...DISTRIBUTION_NAMES].sort()).toEqual(
    [
      'beta categorical categorical_w_probabilities constant int_uniform inv_log_uniform inv_log_uniform_values',
      'log_normal log_uniform log_uniform_values normal q_beta q_log_normal q_log_uniform q_log_uniform_values',
      'q_normal q_uniform uniform',
    ]
      .join(' ')
      .split(' '),
  );
});
