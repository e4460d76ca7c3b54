/** Tests that each mistake in a sweep file gives exactly one error, and no further errors that are its consequences. */
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseSweep } from './parse.ts';
import { SweepFileError } from './problems.ts';

function errorsOf(text: string): string[] {
  try {
    parseSweep(text, 'x.yaml');
  } catch (error) {
    if (error instanceof SweepFileError) return error.problems.map(({ message }) => message);
    throw error;
  }
  return [];
}

const AUTOENCODER = `
name: a
trainer: autoencoder
metric: {name: psnr, goal: maximize, at: last, target: 30}
`;
/** Valid files that together have every key of a sweep file. */
const FILES = {
  grid: `${AUTOENCODER}description: d
method: grid
parameters:
  depth: {values: [3, 5]}
  epochs: {value: 9}
  latent_dim: {min: 10, max: 30, step: 10}
  noise_std: {values: [0, 0.5]}
  lambda_l1: {values: [0, 0.1]}
zip: [[noise_std, lambda_l1]]
exclude: [{depth: 5, latent_dim: 10}]
when: [{if: {depth: 5}, set: {epochs: 8}}]
replicates: 3
order: shuffled
seed: 3
concurrency: 4
priority: 2
weight: 2
resources: {gpu: 1, vram: 2GiB, labels: {zone: a}}
retry: {oom: 1, crash: 2, timeout: 1, backoff: 2s}
timeout: 2h
speculate: true
checkpoint_every: 2
reconstruct_every: 3
hypotheses: [{name: H1, claim: 'psnr[depth=3] > psnr[depth=5]', where: {noise_std: 0.5}}]
max_failed: 10%
run_cap: 30
early_terminate: {type: asha, variant: promotion, min_iter: 1, max_iter: 8, eta: 3}
`,
  adaptive: `${AUTOENCODER}parameters: {depth: {values: [3, 5]}}
replicates: {min: 3, max: 20, until: decided}
`,
  search: `${AUTOENCODER}method: random
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-1}
  noise_std: {distribution: q_uniform, min: 0, max: 1, q: 0.5}
  lambda_l1: {values: [0, 0.1], probabilities: [0.5, 0.5]}
  epochs: {min: 5, max: 10}
seeds: [1, 2]
run_cap: 40
early_terminate: {type: hyperband, max_iter: 9, s: 2, eta: 3, strict: true}
`,
  median: `${AUTOENCODER}parameters: {depth: {values: [3, 5]}}
early_terminate: {type: median, min_iter: 1, min_trials: 1}
`,
  patience: `${AUTOENCODER}parameters: {depth: {values: [3, 5]}}
early_terminate: {type: patience, patience: 3, min_delta: 0.1}
`,
  threshold: `${AUTOENCODER}parameters: {depth: {values: [3, 5]}}
early_terminate: {type: threshold, worse_than: 3}
`,
  tpe: `${AUTOENCODER}method: tpe
parameters: {noise_std: {min: 0.0, max: 1.0}, learning_rate: {min: 0.0, max: 1.0}}
warm_start: [1]
seed: 1
run_cap: 40
`,
  optuna: `trainer: autoencoder
method: optuna
metrics: [{name: psnr, goal: maximize}, {name: test_loss, goal: minimize}]
parameters: {noise_std: {min: 0.0, max: 1.0}}
optuna: {sampler: TPESampler, options: {n_startup_trials: 3}}
run_cap: 40
`,
  pbt: `${AUTOENCODER}method: pbt
parameters: {noise_std: {min: 0.0, max: 1.0}, epochs: {value: 10}}
population: 8
pbt: {interval: 2, quantile: 0.25, perturb: [0.5, 2], resample: 0.1, explore: [noise_std]}
seed: 1
run_cap: 40
`,
  program: `command: [python3, train.py, "\${args}"]
metric: {name: loss}
parameters: {lr: {values: [0.1, 0.2]}, m: {parameters: {n: {value: 3}}}}
env: {A: 1}
report: [json, {regex: 'loss=(?<loss>.*)'}]
classify: [{pattern: x, class: oom}]
wandb: off
code: {dir: ., exclude: [data/], diff: false, limit: 10MB}
first_report: 1m
early_terminate: {type: median}
`,
} as const;

test.each(Object.entries(FILES))('the file %s is valid', (_, text) => {
  expect(errorsOf(text)).toEqual([]);
});

type Path = (string | number)[];

function pathsIn(data: unknown, path: Path = []): Path[] {
  if (typeof data !== 'object' || data === null) return [path];
  const entries = Array.isArray(data) ? [...data.entries()] : Object.entries(data);
  return [...(path.length > 0 ? [path] : []), ...entries.flatMap(([key, value]) => pathsIn(value, [...path, key]))];
}

/** The paths of keys that accept any text or any mapping, or that another test covers. */
const ANY =
  /^(?:description|name|trainer|metrics$|warm_start|when\.0\.set|optuna\.options|exclude\.0|when\.0\.if|hypotheses|code$|env$|command|parameters(?:\.\w+)?$|parameters\.\w+\.values?(?:\.\d)?$|parameters\.m|zip|report)/;

/** A value that no key accepts. */
const WRONG = [['?']];

const CASES = Object.entries(FILES).flatMap(([file, text]) =>
  pathsIn(parse(text))
    .filter((path) => !ANY.test(path.join('.')))
    .map((path): [string, string] => [file, path.join('.')]),
);

test.each(CASES)('in the file %s, a wrong value of %s gives exactly one error', (file, joined) => {
  const data = parse(FILES[file as keyof typeof FILES]);
  const path = joined.split('.');
  const last = path.pop() ?? '';
  const owner = path.reduce((here, key) => here[key], data);
  owner[last] = WRONG;
  expect(errorsOf(stringify(data))).toHaveLength(1);
});

test.each(['gird', 'bayesian', 'xyz', 3, ['grid'], { name: 'random' }])(
  'the wrong method %j gives exactly one error about the key "method", regardless of the other keys',
  (method) => {
    for (const text of Object.values(FILES)) {
      const data = { ...parse(text), method };
      const errors = errorsOf(stringify(data)).filter((message) => message.startsWith('method:'));
      expect(errors).toHaveLength(1);
    }
    const search = { ...parse(FILES.search), method: 'rnadom' };
    expect(errorsOf(stringify(search))).toEqual([expect.stringContaining('did you mean "random"?')]);
  },
);

const HEAD = 'trainer: autoencoder\nparameters: {depth: {values: [3, 5]}}\n';

test.each([
  ['replicates: {min: 3, max: 20, until: decide}', 'until: expected decided, got "decide"; did you mean "decided"?'],
  ['replicates: {min: 3, max: 20}', 'missing key "until"; write replicates: {min: 3, max: 20, until: decided}'],
  ['replicates: {min: 3, max: 20, util: decided, until: decided}', 'unknown key "util"; did you mean "until"?'],
  ['replicates: {min: 1, max: 20, until: decided}', 'min: expected a whole number from 2 to 100, got 1'],
  [
    'replicates: "3"',
    /^replicates: expected a whole number from 1 to 10000, got "3"; remove the quotes$|^replicates: expected a whole number.*got "3"/,
  ],
  ['replicates: [1, 2]', /got a list; write "seeds" for a list of seeds$/],
  ['seeds: 3', 'seeds: expected a list of seeds, got 3; write "replicates" for a number of seeds'],
  ['max_failed: 0.1', /got 0.1; write "10%"$/],
  ['early_terminate: {typ: asha}', 'unknown key "typ"; did you mean "type"?'],
  ['early_terminate: {method: asha}', 'unknown key "method"; write "type"'],
  ['order: random', 'order: expected grid or shuffled, got "random"; did you mean "shuffled"?'],
  ['concurrency: "4"', 'concurrency: expected a whole number from 1 to 100000, got "4"; remove the quotes'],
])('a mistake in a line gives exactly one error, which names the wrong or missing key: %s', (line, message) => {
  const errors = errorsOf(`${HEAD}${line}\n`);
  expect(errors).toHaveLength(1);
  if (typeof message === 'string') expect(errors[0]).toBe(message);
  else expect(errors[0]).toMatch(message);
});

test.each([
  ['trainr: autoencoder\nparameters: {}\n', 'unknown key "trainr"; did you mean "trainer"?'],
  ['trainer: autoencoder\nsearch_space: {depth: {value: 3}}\n', 'unknown key "search_space"; write "parameters"'],
  [
    'trainer: noop\nmethod: random\nrun_cap: 3\nparameters: {x: {min: 0.1, max: 1, log: true}}\n',
    'unknown key "log"; write distribution: log_uniform_values',
  ],
])('a wrong key gives exactly one error, even if it replaces a required key: %j', (text, message) => {
  expect(errorsOf(text)).toEqual([message]);
});

test.each([
  ['report: {regexx: a}', 'unknown key "regexx"; did you mean "regex"?'],
  ['report: {regex: 3}', 'regex: expected a regular expression, got 3'],
  ['report: [json, {hooks: wandb}]', 'unknown key "hooks"; did you mean "hook"?'],
  ['report: [json, {tfevents: 3}]', 'tfevents: expected a path, got 3'],
])('the error for a mistake in the key "report" names the wrong key or value: %s', (line, message) => {
  expect(errorsOf(`command: [t, "\${args}"]\nmetric: {name: l}\nparameters: {}\n${line}\n`)).toEqual([message]);
});
