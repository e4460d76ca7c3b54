import { expect, test } from 'vitest';
import { initialState, nextStep } from '../grid/trials.ts';
import { parseSweep } from './parse.ts';
import { SweepFileError } from './problems.ts';

const PARAMETERS = `parameters:
  latent_dim: {values: [15, 30]}
  epochs: {value: 12}
  learning_rate: {distribution: log_uniform_values, min: 1e-4, max: 1e-1}
  noise_std: {values: [0, 0.1]}
`;
const SWEEP = `method: pbt
population: 8
pbt: {interval: 2}
trainer: autoencoder
${PARAMETERS}`;

const PROGRAM = `method: pbt
population: 4
pbt: {interval: 2, explore: [lr, momentum]}
command: [python, train.py]
metric: {name: loss}
parameters:
  lr: {min: 0.1, max: 1.0}
  momentum: {values: [0.5, 0.9]}
  width: {values: [8, 16]}
`;

function problemsOf(text: string): string[] {
  try {
    parseSweep(text, 'x.yaml');
    return [];
  } catch (error) {
    if (!(error instanceof SweepFileError)) throw error;
    return error.problems.map(({ message }) => message);
  }
}

test('omitted keys of pbt have their defaults, and the default of "explore" depends on the trainer', () => {
  expect(parseSweep(SWEEP, 'x')).toMatchObject({
    runCap: 8,
    search: { method: 'pbt', seed: 0 },
    earlyTerminate: {
      type: 'pbt',
      population: 8,
      interval: 2,
      quantile: 0.25,
      perturb: [0.8, 1.2],
      resample: 0.25,
      seed: 0,
      maxTrials: undefined,
      explore: [
        ['learning_rate', { kind: 'log_uniform' }],
        ['noise_std', { kind: 'categorical' }],
      ],
    },
  });
});

test('the first members are random points, and all members have different seeds, even if their points are equal', () => {
  const spec = parseSweep(`${SWEEP.replace(PARAMETERS, '')}parameters: {noise_std: {values: [0, 0.1]}}`, 'x');
  const seeds: number[] = [];
  const known = new Set<string>();
  let state = initialState(spec);
  for (;;) {
    const step = nextStep(spec, state, (id) => known.has(id));
    if (step.kind !== 'trial') break;
    state = step.state;
    known.add(step.trial.trialId);
    seeds.push(step.trial.seed);
  }
  expect(seeds).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(known.size).toBe(8);
});

test('"explore" names the parameters that change, and "run_cap" limits the number of trials', () => {
  const { earlyTerminate } = parseSweep(`${PROGRAM}run_cap: 20\nseed: 3\n`, 'x');
  expect(earlyTerminate).toMatchObject({
    maxTrials: 20,
    seed: 3,
    explore: [
      ['lr', {}],
      ['momentum', {}],
    ],
  });
});

test.each([
  ['population: 8\n', '', 'missing key "population": write population: 8'],
  ['pbt: {interval: 2}\n', '', 'missing key "pbt": write pbt: {interval: 5}'],
  [
    'population: 8',
    'population: 3',
    'population: quantile 0.25 of 3 members is less than one member; expected 4 or more',
  ],
  ['interval: 2', 'interval: 2, quantile: 0.6', 'quantile: expected a number above 0, up to 0.5, got 0.6'],
  ['interval: 2', 'interval: 2, perturb: [1]', 'expected a factor above 0 other than 1, such as 0.8 or 1.2, got 1'],
  ['interval: 2', 'interval: 2, exploit: 1', 'unknown key "exploit"; did you mean "explore"?'],
  [
    'interval: 2',
    'interval: 2, explore: [latent_dim]',
    'explore: trainer autoencoder cannot resume with another value of latent_dim; it can change lambda_l1, weight_decay, noise_std, learning_rate, l1_in_gradient',
  ],
  [
    'interval: 2',
    'interval: 2, explore: [lerning_rate]',
    'explore: the file has no parameter "lerning_rate"; did you mean "learning_rate"?',
  ],
  ['interval: 2', 'interval: 2, explore: [noise_std, noise_std]', 'explore: noise_std is listed twice'],
  [
    'trainer: autoencoder',
    'trainer: autoencoder\ncheckpoint_every: 0',
    'checkpoint_every: method pbt continues trials from checkpoints; expected 1 or more, got 0',
  ],
  [
    'trainer: autoencoder',
    'trainer: autoencoder\ncheckpoint_every: 3',
    'interval: expected a multiple of 3 (checkpoint_every), got 2',
  ],
  [
    'trainer: autoencoder',
    'trainer: autoencoder\nearly_terminate: {type: asha}',
    '"early_terminate" cannot be used with method pbt: the population replaces its worst members itself',
  ],
  [
    'trainer: autoencoder',
    'trainer: autoencoder\nreplicates: 3',
    '"replicates" cannot be used with method pbt: every trial has its own seed',
  ],
  [
    'trainer: autoencoder',
    'trainer: autoencoder\nmetrics: [{name: psnr}, {name: test_loss}]',
    '"metrics" cannot be used with method pbt: members are compared by a single metric; write "metric" instead',
  ],
  [
    'trainer: autoencoder',
    'trainer: autoencoder\nspeculate: true',
    '"speculate" cannot be used with method pbt: a second attempt starts from the beginning',
  ],
  ['trainer: autoencoder', 'trainer: autoencoder\nrun_cap: 5', 'run_cap: expected at least 8 (the population), got 5'],
  ['trainer: autoencoder', 'trainer: noop', 'trainer noop stores no checkpoints, so method pbt cannot use it'],
  ['method: pbt', 'method: random', 'population applies to method pbt only'],
])('a file in which %s is replaced by %s is rejected', (from, to, message) => {
  expect(problemsOf(SWEEP.replace(from, to))).toContain(message);
});

test.each([
  ['population: 8', 'population: 1', ['population: expected a whole number from 2 to 1000, got 1']],
  ['interval: 2', 'interval: 0', ['interval: expected a whole number from 1 to 1000000000, got 0']],
])(
  'a file in which %s is replaced by %s has only one problem: the key with the wrong value is not also reported as missing',
  (from, to, problems) => {
    expect(problemsOf(SWEEP.replace(from, to))).toEqual(problems);
  },
);

test('an interval that is not shorter than the longest trial is rejected, because members would never be compared', () => {
  const problem = (least: number, got: number) =>
    `interval: the members would never be compared before their last epoch; expected less than ${least}, got ${got}`;
  expect(problemsOf(SWEEP.replace('interval: 2', 'interval: 12'))).toEqual([problem(12, 12)]);
  // A program may count its epochs from 0.
  const epochs = (text: string) => PROGRAM.replace('parameters:', `parameters:\n  num_epochs: ${text}`);
  expect(problemsOf(epochs('{value: 3}'))).toEqual([problem(2, 2)]);
  expect(problemsOf(epochs('{values: [2, 3]}'))).toEqual([problem(2, 2)]);
  expect(problemsOf(epochs('{min: 2, max: 4}'))).toEqual([]);
});

test('for a program, a file without the key "explore" is rejected', () => {
  const problem =
    'pbt: missing key "explore": write the parameters that the program can change on resume, such as explore: [lr]';
  expect(problemsOf(PROGRAM.replace(', explore: [lr, momentum]', ''))).toContain(problem);
});

test('parameters that cannot be perturbed are rejected', () => {
  const problem =
    'explore: lr must have min and max, or at least two values; a parameter of kind normal cannot be perturbed';
  expect(problemsOf(PROGRAM.replace('{min: 0.1, max: 1.0}', '{distribution: normal}'))).toContain(problem);
  expect(problemsOf(PROGRAM.replace('[0.5, 0.9]', '[[0.5], [0.9]]'))).toContain(
    'explore: momentum must have min and max, or at least two values; a list, a mapping or null cannot be perturbed',
  );
  const fixed = SWEEP.replace(PARAMETERS, 'parameters: {latent_dim: {values: [15, 30]}}');
  expect(problemsOf(fixed)).toContain(
    'method pbt needs a parameter that a child can change; write a distribution for at least one of lambda_l1, weight_decay, noise_std, learning_rate, l1_in_gradient',
  );
});
