import { expect, test } from 'vitest';
import { DISTRIBUTION_NAMES, distributionOf } from '../search/distribution.ts';
import { parseSweep } from './parse.ts';
import { SweepFileError } from './problems.ts';
import { keyHint, meantDistribution } from './synonyms.ts';

const RATES = { min: 1e-4, max: 0.1 };
const EXPONENTS = { min: -9.2, max: -2.3 };
const COUNTS = { min: 16, max: 512 };
const SHARES = { min: 0.1, max: 0.9 };

test.each([
  ['loguniform', RATES, 'log_uniform_values'],
  ['log-uniform', RATES, 'log_uniform_values'],
  ['LogUniform', RATES, 'log_uniform_values'],
  ['log_unifrom', RATES, 'log_uniform_values'],
  ['log', RATES, 'log_uniform_values'],
  ['float_log', RATES, 'log_uniform_values'],
  ['loguniform', EXPONENTS, 'log_uniform'],
  ['log_unifrom', EXPONENTS, 'log_uniform'],
  ['qloguniform', { ...COUNTS, q: 16 }, 'q_log_uniform_values'],
  ['qloguniform', { min: 0, max: 5, q: 1 }, 'q_log_uniform'],
  ['int_log', COUNTS, 'q_log_uniform_values'],
  ['lograndint', COUNTS, 'q_log_uniform_values'],
  ['log_int_uniform', COUNTS, 'q_log_uniform_values'],
  ['invloguniform', RATES, 'inv_log_uniform_values'],
  ['inverse_log_uniform', EXPONENTS, 'inv_log_uniform'],
  ['uniform_int', COUNTS, 'int_uniform'],
  ['int_unifrom', COUNTS, 'int_uniform'],
  ['uniformint', SHARES, 'q_uniform'],
  ['randint', COUNTS, 'int_uniform'],
  ['int', COUNTS, 'int_uniform'],
  ['integer', COUNTS, 'int_uniform'],
  ['uniform_float', SHARES, 'uniform'],
  ['floating_point', SHARES, 'uniform'],
  ['float', SHARES, 'uniform'],
  ['double', SHARES, 'uniform'],
  ['unifrom', SHARES, 'uniform'],
  ['quniform', { ...SHARES, q: 0.1 }, 'q_uniform'],
  ['discrete_uniform', SHARES, 'q_uniform'],
  ['qrandint', { ...COUNTS, q: 16 }, 'q_uniform'],
  ['gaussian', { mu: 0, sigma: 1 }, 'normal'],
  ['qnormal', { mu: 0, sigma: 1, q: 0.5 }, 'q_normal'],
  ['lognormal', { mu: 0, sigma: 1 }, 'log_normal'],
  ['qlognormal', { mu: 0, sigma: 1, q: 1 }, 'q_log_normal'],
  ['choice', { values: [1, 2] }, 'categorical'],
  ['discrete', { values: [1, 2] }, 'categorical'],
  ['choice', { values: [1, 2], probabilities: [0.5, 0.5] }, 'categorical_w_probabilities'],
  ['fixed', { value: 3 }, 'constant'],
  ['Beta', { a: 2, b: 3 }, 'beta'],
  ['qbeta', { a: 2, b: 3, q: 0.1 }, 'q_beta'],
] as const)('for the unknown distribution %s with the keys %j, the suggestion is %s', (written, entry, meant) => {
  expect(DISTRIBUTION_NAMES).not.toContain(written);
  expect(meantDistribution(written, entry)).toBe(meant);
  // The suggested distribution must accept the keys and the range of the parameter.
  if (!('min' in entry) || meant !== 'q_uniform') {
    expect(typeof distributionOf({ ...entry, distribution: meant } as Parameters<typeof distributionOf>[0])).toBe(
      'object',
    );
  }
});

test('for an unknown distribution whose name resembles no known distribution, nothing is suggested', () => {
  expect(meantDistribution('xyz', RATES)).toBeUndefined();
});

test.each([
  [[], 'n_trials', 'run_cap'],
  [[], 'early_stop', 'early_terminate'],
  [[], 'search_space', 'parameters'],
  [['metric'], 'mode', 'goal'],
  [['parameters', 'lr'], 'low', 'min'],
  [['parameters', 'm', 'parameters', 'lr'], 'choices', 'values'],
  [['early_terminate'], 'grace_period', 'min_iter'],
  [['early_terminate'], 'warmup', 'min_iter'],
  [['early_terminate'], 'reduction_factor', 'eta'],
  [['pbt'], 'perturbation_interval', 'interval'],
] as const)('at the path %j, for the key %s of another tool, the key %s is suggested', (path, key, meant) => {
  expect(keyHint(path, key, [meant, 'other'])).toBe(`; write "${meant}"`);
});

test('no key is suggested at a path where it would be invalid', () => {
  expect(keyHint(['metrics', 0], 'threshold', ['name', 'goal'])).toBe('');
});

function errorOf(text: string): string {
  try {
    parseSweep(text, 'x.yaml');
  } catch (error) {
    if (error instanceof SweepFileError) return error.message;
    throw error;
  }
  return 'accepted';
}

test.each([
  [
    'method: bayesian',
    'method: expected grid or random or bayes or tpe or sobol or optuna or pbt, got "bayesian"; did you mean "bayes"?',
  ],
  ['method: halton', '; did you mean "sobol"?'],
  ['early_terminate: {type: successive_halving}', '; did you mean "asha"?'],
  ['early_terminate: {type: ASHA}', '; did you mean "asha"?'],
])('the error about the line %s suggests the correct value', (line, message) => {
  const errors = errorOf(`trainer: autoencoder\nparameters: {depth: {values: [3, 5]}}\n${line}\n`).split('\n');
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain(message);
});
