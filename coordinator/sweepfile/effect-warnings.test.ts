import { expect, test } from 'vitest';
import { plan } from '../grid/plan.ts';
import { effectWarnings } from './effect-warnings.ts';
import { parseStoredSweep, parseSweep } from './parse.ts';

function warningsOf(text: string): string[] {
  const spec = parseSweep(text, 'x.yaml');
  return effectWarnings(spec, plan(spec));
}

/** A sweep of four trials with 10 epochs each. */
const AUTOENCODER = 'trainer: autoencoder\nparameters: {latent_dim: {values: [10, 20, 30, 40]}}\n';
const program = (parameters: string) =>
  `command: [t, "\${args}"]\nmetric: {name: loss}\nparameters: {lr: {values: [1, 2, 3, 4, 5, 6, 7, 8]}, ${parameters}}\n`;

test.each([
  [
    'early_terminate: {type: asha, min_iter: 10}',
    'min_iter: no trial can be stopped: the first comparison is at epoch 10, and the longest trial ends at epoch 10; expected less than 10',
  ],
  [
    'early_terminate: {type: hyperband, min_iter: 12}',
    'min_iter: no trial can be stopped: the first comparison is at epoch 12, and the longest trial ends at epoch 10; expected less than 10',
  ],
  [
    'early_terminate: {type: hyperband, max_iter: 81, s: 1}',
    'max_iter: no trial can be stopped: the first comparison is at epoch 27, and the longest trial ends at epoch 10',
  ],
  [
    'early_terminate: {type: median, min_trials: 1, min_iter: 10}',
    'min_iter: no trial can be stopped: the first comparison is at epoch 10',
  ],
  [
    'early_terminate: {type: patience, patience: 9}',
    'patience: no trial can be stopped: the first comparison is at epoch 10, and the longest trial ends at epoch 10; expected less than 9',
  ],
  [
    'early_terminate: {type: threshold, worse_than: 1, min_iter: 1000}',
    'min_iter: no trial can be stopped: the first comparison is at epoch 1,000',
  ],
  ['run_cap: 2\nreplicates: 3', 'run_cap: expected at least 3 (the number of replicates of a config), got 2'],
])('a new sweep file with the line %s is rejected, but a stored sweep with this line is accepted', (line, message) => {
  expect(() => parseSweep(AUTOENCODER + line, 'x.yaml')).toThrow(message);
  expect(parseStoredSweep(AUTOENCODER + line, 'x.yaml').name).toBe('x');
});

test.each([
  'early_terminate: {type: asha, min_iter: 9}',
  'early_terminate: {type: hyperband, max_iter: 27, s: 1}',
  'early_terminate: {type: patience, patience: 8}',
  'early_terminate: {type: median, min_iter: 9, min_trials: 3}',
  'early_terminate: {type: asha, min_iter: 12}\nwhen: [{if: {latent_dim: 40}, set: {epochs: 13}}]',
  'max_failed: 3',
  'max_failed: 99%',
  'checkpoint_every: 9',
  'exclude: [{latent_dim: 40}]',
])('a sweep file with %s causes no warning', (line) => {
  expect(warningsOf(AUTOENCODER + line)).toEqual([]);
});

test('a trial with a single epoch cannot be stopped early', () => {
  const text = 'trainer: noop\nparameters: {x: {values: [1, 2]}}\nearly_terminate: {type: asha}\n';
  expect(() => parseSweep(text, 'x.yaml')).toThrow(
    'x.yaml:3:18: early_terminate: no trial can be stopped: the first comparison is at epoch 1, and the longest trial ends at epoch 1',
  );
});

test.each([
  [
    'early_terminate: {type: asha, min_iter: 10}',
    'early_terminate stops no trial: with this min_iter, the first comparison is at step 10, but no trial is stopped at its last epoch, and the last epoch is at most 9 if epochs count from 0',
  ],
  [
    'early_terminate: {type: hyperband, min_iter: 11}',
    'early_terminate stops no trial if the program reports once per epoch: with this min_iter, the first comparison is at step 10',
  ],
  ['early_terminate: {type: patience, patience: 9}', 'with this patience, the first comparison is at step 9'],
])('for a program, whose steps are not known, %s causes only a warning', (line, message) => {
  expect(warningsOf(program('epochs: {values: [5, 10]}') + line)).toEqual([expect.stringContaining(message)]);
  expect(warningsOf(program('epochs: {values: [5, 100]}') + line)).toEqual([]);
  expect(warningsOf(program('width: {value: 5}') + line)).toEqual([]);
});

test.each([
  [
    'early_terminate: {type: median}',
    'early_terminate stops no trial: with min_trials 5, a comparison needs 5 other trials, and the sweep has 4 trials',
  ],
  ['early_terminate: {type: median, min_trials: 4}', 'with min_trials 4, a comparison needs 4 other trials'],
  [
    'early_terminate: {type: asha, variant: promotion, eta: 5}',
    'early_terminate promotes no trial: a rung needs at least 5 trials (eta), and the sweep has 4 trials',
  ],
  ['run_cap: 1\nearly_terminate: {type: asha}', 'it compares trials with each other, and the sweep has 1 trial'],
  ['max_failed: 4', 'max_failed 4 has no effect: the sweep has 4 trials'],
  ['max_failed: 100%', 'max_failed 100% has no effect'],
  ['checkpoint_every: 10', 'checkpoint_every 10 stores no checkpoint: the longest trial ends at epoch 10'],
  ['exclude: [{latent_dim: [10, 20, 30, 40]}]', 'exclude drops every point: the sweep has no trials'],
  ['exclude: [{latent_dim: 50}]', 'exclude: latent_dim is never 50 in this sweep'],
  ['exclude: [{latent_dim: [10, 50]}]', 'exclude: latent_dim is never 50 in this sweep'],
  ['when: [{if: {latent_dim: 50}, set: {epochs: 20}}]', 'when: latent_dim is never 50 in this sweep'],
  [
    'exclude: [{latent_dim: 10}, {latent_dim: 10}]',
    'exclude: the rule latent_dim=10 drops no point that earlier rules keep',
  ],
  [
    'replicates: {min: 3, max: 5, until: decided}\nrun_cap: 12',
    'run_cap 12 leaves no trial for further replicates: the first 3 replicates of all configs are 12 trials',
  ],
])('%s causes a warning', (line, message) => {
  expect(warningsOf(AUTOENCODER + line)).toEqual([expect.stringContaining(message)]);
});

const SEARCH =
  'trainer: autoencoder\nrun_cap: 8\nseed: 1\nparameters: {noise_std: {min: 0.0, max: 1.0}, depth: {values: [3, 5]}}\n';

test.each([
  ['method: random\norder: shuffled', 'order: shuffled has no effect with method random'],
  ['method: random\nexclude: [{noise_std: 2}]', 'exclude: noise_std is never 2 in this sweep'],
  ['method: tpe\nearly_terminate: {type: median, min_trials: 8}', 'and the sweep has at most 8 trials'],
  [
    'method: pbt\npopulation: 8\npbt: {interval: 2}',
    'run_cap 8 equals the population, so no member is ever replaced by a child',
  ],
])('in a search, %s causes a warning', (line, message) => {
  expect(warningsOf(SEARCH + line)).toEqual([expect.stringContaining(message)]);
});

test('until: decided has no effect in a sweep with a single config and no hypotheses', () => {
  const text = 'trainer: autoencoder\nparameters: {depth: {value: 3}}\nreplicates: {min: 3, max: 5, until: decided}\n';
  expect(warningsOf(text)).toEqual([expect.stringContaining('until: decided has no effect')]);
});

test.each([
  [
    `${SEARCH}method: optuna\noptuna: {sampler: RandomSampler}\nwarm_start: [1]\n`,
    'warm_start has no effect with RandomSampler',
  ],
  [
    'trainer: noop\nparameters: {x: {values: [1, 2]}}\nreconstruct_every: 2\n',
    'reconstruct_every has no effect: trainer noop',
  ],
  [
    'trainer: noop\nparameters: {x: {values: [1, 2]}}\ncheckpoint_every: 2\n',
    'checkpoint_every has no effect: trainer noop',
  ],
  [
    `${program('width: {value: 1}')}timeout: 5m\nfirst_report: 10m\n`,
    'first_report has no effect: timeout ends each attempt earlier',
  ],
])('a setting that the sampler or the trainer does not use causes a warning: %s', (text, message) => {
  expect(warningsOf(text)).toEqual([expect.stringContaining(message)]);
});

test('run_cap is rounded down to a whole number of configs, and the plan reports this', () => {
  const text = `${SEARCH.replace('run_cap: 8', 'run_cap: 40')}method: random\nreplicates: 3\n`;
  const spec = parseSweep(text, 'x.yaml');
  expect(plan(spec)).toMatchObject({ trials: 39, configs: 13 });
  expect(spec.notes).toEqual([
    'run_cap 40 is not a multiple of 3 replicates: the sweep has at most 39 trials, so that every config has all its replicates',
  ]);
  expect(parseSweep(text.replace('40', '39'), 'x.yaml')).toMatchObject({ runCap: 39, notes: [] });
});

test('without run_cap, the default limit of a search is a multiple of the number of replicates', () => {
  const spec = parseSweep(`${SEARCH.replace('run_cap: 8\n', '')}method: tpe\nreplicates: 3\n`, 'x.yaml');
  expect(plan(spec)).toMatchObject({ trials: 9_999, configs: 3_333 });
  expect(spec.notes).toEqual(['the file has no run_cap: the sweep has at most 9,999 trials']);
});

test('a distribution from which no value can be drawn is rejected in a sweep file, but is accepted in a stored sweep', () => {
  const text = `trainer: noop
method: random
run_cap: 5
parameters:
  x: {distribution: q_uniform, min: 0.1, max: 1, q: 1.0e300}
`;
  expect(() => parseSweep(text, 's.yaml')).toThrow('s.yaml:5:3: x: no multiple of q (1e+300) is between 0.1 and 1');
  expect(parseStoredSweep(text, 's.yaml').name).toBe('s');
});
