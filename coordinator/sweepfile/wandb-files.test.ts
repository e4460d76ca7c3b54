// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/** Tests that sweep files for Weights & Biases can be parsed and planned without changes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pythonText } from '../../lib/text/python.ts';
import { piecesOf } from '../../proto/command.ts';
import { WandbMode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { enumerateTrials } from '../grid/enumerate.ts';
import { plan } from '../grid/plan.ts';
import { sweepFingerprint } from './fingerprint.ts';
import { parseSweep } from './parse.ts';

const parse = (text: string) => parseSweep(text, 'w.yaml');
const points = (text: string) => [...enumerateTrials(parse(text))].map(({ parameters }) => ({ ...parameters }));
const json = (value: unknown) => JSON.parse(JSON.stringify(value));

const GRID_CATEGORICAL = `
program: train.py
project: anything
method: grid
metric: {name: val_loss, goal: minimize}
parameters:
  lr: {distribution: categorical, values: [0.1, 0.01]}
  bn: {values: [true, false]}
  epochs: {distribution: constant, value: 2}
`;

test('a grid whose parameters have the key "distribution" has every combination of the values, and the ignored keys are listed', () => {
  expect(points(GRID_CATEGORICAL)).toEqual([
    { lr: 0.1, bn: true, epochs: 2 },
    { lr: 0.1, bn: false, epochs: 2 },
    { lr: 0.01, bn: true, epochs: 2 },
    { lr: 0.01, bn: false, epochs: 2 },
  ]);
  const { ignored, command, program } = parse(GRID_CATEGORICAL);
  expect(ignored).toEqual(['project', 'parameters.lr.distribution', 'parameters.epochs.distribution']);
  expect(command).toEqual(['/usr/bin/env', 'python3', 'train.py', '${args}']);
  expect(program).toMatchObject({
    wandb: WandbMode.OFFLINE,
    report: [{ source: { $case: 'json', json: true } }, { source: { $case: 'hook', hook: 'wandb' } }],
    metric: 'val_loss',
  });
});

test('a key whose value is only used through an anchor, or that begins with x-, is ignored; merge keys work at every level', () => {
  const spec = parse(`
program: train.py
x-common: &common {values: [1, 2]}
x-unused: 1
defaults: &defaults
  method: grid
  metric: {name: loss, goal: minimize}
rates: &rates {lr: {values: [0.1, 0.2]}, wd: {value: 0}}
<<: *defaults
parameters:
  <<: *rates
  wd: {value: 1}
  a: *common
`);
  expect(spec).toMatchObject({ ignored: ['x-common', 'x-unused', 'defaults', 'rates'], metric: { name: 'loss' } });
  expect(plan(spec)).toMatchObject({ trials: 4, axes: { lr: 2, wd: 1, a: 2 } });
  expect(points('program: t.py\nbase: &b\n  lr: {values: [1, 2]}\nparameters: *b\n')).toEqual([{ lr: 1 }, { lr: 2 }]);
  expect(() => parse('program: t.py\nparamters: {lr: {value: 1}}\nparameters: {lr: {value: 1}}\n')).toThrow(
    'w.yaml:2:1: unknown key "paramters"; did you mean "parameters"?',
  );
  expect(() => parse('program: t.py\nunused: &u {lr: 1}\nparameters: {lr: {value: 1}}\n')).toThrow(
    'w.yaml:2:1: unknown key "unused"',
  );
});

test('in a W&B file, the last of two equal keys counts, and a note reports this; in other files, equal keys are rejected', () => {
  const spec = parse(
    'program: t.py\nmethod: random\nmethod: grid\nparameters:\n  lr: {value: 1}\n  lr: {values: [2, 3]}\n',
  );
  expect([...enumerateTrials(spec)].map(({ parameters }) => parameters.lr)).toEqual([2, 3]);
  expect(spec.notes).toEqual(
    expect.arrayContaining([
      'line 3: duplicate key "method"; the last value counts',
      'line 6: duplicate key "lr"; the last value counts',
    ]),
  );
  expect(() => parse('command: [a]\nmetric: {name: x}\nparameters:\n  lr: {value: 1}\n  lr: {value: 2}\n')).toThrow(
    'w.yaml:5:3: duplicate key "lr"',
  );
});

test('infinite values and NaN are passed to the program in the notation of Python', () => {
  const values = '[.inf, -.INF, .nan, 2]';
  const spec = parse(
    `program: t.py\nparameters:\n  clip: {values: ${values}}\n  list: {value: [.inf, 1.0]}\n  name: {value: ".inf"}\n`,
  );
  const trials = [...enumerateTrials(spec)].map(({ parameters }) => parameters);
  expect(trials.map(({ clip }) => clip)).toEqual(['inf', '-inf', 'nan', 2]);
  expect(spec.program).toMatchObject({
    floatParameters: ['list'],
    floatValues: [
      { parameter: 'clip', value: '"inf"', floats: [''] },
      { parameter: 'clip', value: '"-inf"', floats: [''] },
      { parameter: 'clip', value: '"nan"', floats: [''] },
    ],
  });
  expect(json(trials[0]?.list)).toEqual(['inf', 1]);
  expect(trials[0]?.name).toBe('.inf');
  expect(() => parse('program: t.py\nmethod: random\nparameters: {lr: {min: 0, max: .inf}}\n')).toThrow(
    'expected a number, got "inf"',
  );
  expect(() => parse('command: [a]\nmetric: {name: x}\nparameters: {lr: {value: .inf}}\n')).toThrow(
    '".inf" is not a finite number',
  );
});

test('a parameter named "seed" gives the seeds of the replicates', () => {
  const spec = parse(`
program: train.py
method: grid
metric: {name: val_loss, goal: minimize}
parameters:
  lr: {values: [0.1, 0.01]}
  seed: {values: [3, 5, 8]}
`);
  expect(spec.seeds).toEqual([3, 5, 8]);
  expect(spec.program?.seedParameter).toBe('seed');
  expect(plan(spec)).toMatchObject({ trials: 6, configs: 2, replicates: 3, axes: { lr: 2 } });
  expect([...enumerateTrials(spec)].map(({ seed, parameters }) => [parameters.lr, seed])).toEqual([
    [0.1, 3],
    [0.1, 5],
    [0.1, 8],
    [0.01, 3],
    [0.01, 5],
    [0.01, 8],
  ]);
});

test('values can be lists and null, and parameters can be nested', () => {
  const text = `
program: train.py
method: grid
metric: {name: val_loss, goal: minimize}
parameters:
  sizes: {values: [[8, 8], [16]]}
  init: {values: [null, warm]}
  model:
    parameters:
      depth: {values: [2, 3]}
`;
  const all = json(points(text));
  expect(all).toHaveLength(8);
  expect(all[0]).toEqual({ sizes: [8, 8], init: null, 'model.depth': 2 });
  expect(all[7]).toEqual({ sizes: [16], init: 'warm', 'model.depth': 3 });
});

test('the distributions of W&B are parsed for a random search', () => {
  const spec = parse(`
program: train.py
method: random
metric: {name: val_loss, goal: minimize}
run_cap: 5
parameters:
  lr: {distribution: log_uniform_values, min: 0.0001, max: 0.1}
  momentum: {min: 0.5, max: 0.99}
  batch: {values: [32, 64]}
`);
  expect(spec).toMatchObject({ search: { method: 'random', seed: 0 }, runCap: 5 });
  expect([...(spec.search?.space ?? [])]).toEqual([
    ['lr', { kind: 'log_uniform', min: 0.0001, max: 0.1, q: undefined }],
    ['momentum', { kind: 'uniform', min: 0.5, max: 0.99, q: undefined }],
    ['batch', { kind: 'categorical', values: [32, 64], probabilities: undefined }],
  ]);
  expect(plan(spec)).toMatchObject({ trials: 5, configs: 5, replicates: 1, axes: {} });
});

test('the settings of early_terminate are parsed', () => {
  const spec = parse(`
program: train.py
method: random
metric: {name: val_loss, goal: minimize}
early_terminate: {type: hyperband, min_iter: 2, eta: 2}
run_cap: 12
parameters:
  lr: {distribution: uniform, min: 0.001, max: 0.1}
`);
  expect(spec.earlyTerminate).toEqual({ type: 'hyperband', steps: { minIter: 2 }, eta: 2, strict: false });
});

test('early_terminate with max_iter and s is read as in W&B', () => {
  const spec = parse(`
program: train.py
metric: {name: loss}
early_terminate: {type: hyperband, max_iter: 27, s: 2, strict: true}
parameters: {lr: {values: [1, 2]}}
`);
  expect(spec.earlyTerminate).toEqual({
    type: 'hyperband',
    steps: { maxIter: 27, brackets: 2 },
    eta: 3,
    strict: true,
  });
});

test('early_terminate without a metric is rejected, as in W&B', () => {
  const text = 'program: t.py\nearly_terminate: {type: hyperband, min_iter: 2}\nparameters: {lr: {values: [1, 2]}}\n';
  expect(() => parse(text)).toThrow(
    '2:1: early_terminate compares the values of a metric, but the file names none; write metric: {name: val_loss, goal: minimize}',
  );
});

test.each([
  ['{type: asha}', { type: 'asha', minIter: 1, maxIter: undefined, eta: 3 }],
  ['{type: asha, min_iter: 2, max_iter: 10, eta: 4}', { type: 'asha', minIter: 2, maxIter: 10, eta: 4 }],
  ['{type: asha, variant: promotion}', { type: 'asha', minIter: 1, maxIter: undefined, eta: 3, variant: 'promotion' }],
  ['{type: asha, variant: stopping}', { type: 'asha', minIter: 1, maxIter: undefined, eta: 3 }],
  ['{type: median}', { type: 'median', minIter: 1, minTrials: 5 }],
  ['{type: median, min_iter: 4, min_trials: 3}', { type: 'median', minIter: 4, minTrials: 3 }],
  ['{type: patience, patience: 5}', { type: 'patience', minIter: 1, patience: 5, minDelta: 0 }],
  [
    '{type: patience, patience: 5, min_delta: 0.01, min_iter: 8}',
    { type: 'patience', minIter: 8, patience: 5, minDelta: 0.01 },
  ],
  ['{type: threshold, worse_than: -0.5}', { type: 'threshold', minIter: 1, worseThan: -0.5 }],
])('early_terminate %s is parsed with the defaults of its rule', (written, expected) => {
  const text = `program: t.py\nmetric: {name: l}\nearly_terminate: ${written}\nparameters: {lr: {values: [1, 2]}}\n`;
  expect(parse(text).earlyTerminate).toEqual(expected);
});

test.each([
  ['{type: hyperband, min_iter: 5, max_iter: 50, s: 2, eta: 3}', { maxIter: 50, brackets: 2 }, ['min_iter']],
  ['{type: hyperband, min_iter: 5, s: 2}', { minIter: 5 }, ['s']],
  ['{type: hyperband, min_iter: 5, max_iter: 50}', { minIter: 5 }, ['max_iter']],
])(
  'early_terminate %s is read as in W&B, and keys that have no effect are listed as ignored',
  (written, steps, ignored) => {
    const spec = parse(
      `program: t.py\nmethod: random\nmetric: {name: l}\nrun_cap: 2\nearly_terminate: ${written}\nparameters: {lr: {min: 0.1, max: 0.5}}\n`,
    );
    expect(spec.earlyTerminate).toEqual({ type: 'hyperband', steps, eta: 3, strict: false });
    expect(spec.ignored).toEqual(ignored.map((key) => `early_terminate.${key}`));
  },
);

test('a Hydra interpolation that is only a part of a command item is passed to the program unchanged, as in W&B', () => {
  const spec = parse(`
program: scripts/train.py
launch: {queue: fast}
metric: {name: eval/mean_reward, goal: maximize}
parameters:
  trainer.lr: {values: [1.0e-5, 1.0e-3]}
command:
  - \${env}
  - python
  - -m
  - scripts.train
  - \${args_no_hyphens}
  - hydra.run.dir=runs/\${run_name}/\${now:%Y%m%d}_\${oc.env:HOME,\${x}}
`);
  expect(spec.ignored).toEqual(['launch']);
  const item = spec.command.at(-1) ?? '';
  const text = piecesOf(item).map((piece) => (piece.kind === 'text' ? piece.text : `<${piece.kind}>`));
  expect(text.join('')).toBe('hydra.run.dir=runs/${run_name}/${now:%Y%m%d}_${oc.env:HOME,${x}}');
  expect(() => parse('program: t.py\ncommand: [a, "${later}"]\nparameters: {a: {value: 1}}\n')).toThrow(
    /unknown macro/,
  );
  expect(() => parse('program: t.py\ncommand: [a, "x${arg}"]\nparameters: {a: {value: 1}}\n')).toThrow(/did you mean/);
});

test('keys of a W&B file that have no effect are accepted and listed', () => {
  const spec = parse(`
apiVersion: v1
kind: sweep
program: train.py
project: p
entity: me
description: a sweep
controller: {type: cloud}
job: me/p/job:latest
image_uri: repo/image:1
metric: {name: loss, goal: minimize, impute: worst, impute_while_running: latest, target: 0.1}
parameters: {lr: {value: 0.1}}
`);
  expect(spec.ignored).toEqual([
    'project',
    'entity',
    'apiVersion',
    'kind',
    'controller',
    'job',
    'image_uri',
    'metric.impute',
    'metric.impute_while_running',
  ]);
  expect(spec.description).toBe('a sweep');
  expect(spec.metric).toEqual({ name: 'loss', goal: 'minimize', at: 'last', target: 0.1 });
});

test('integer ranges and q_uniform distributions become axes of a grid, and run_cap limits the trials', () => {
  const text = `
program: train.py
method: grid
run_cap: 7
metric: {name: loss}
parameters:
  depth: {min: 2, max: 4}
  width: {distribution: int_uniform, min: 1, max: 2}
  drop: {distribution: q_uniform, min: 0, max: 0.3, q: 0.1}
`;
  const spec = parse(text);
  expect(plan(spec)).toMatchObject({ trials: 7, configs: 7, axes: { depth: 3, width: 2, drop: 3 } });
  expect(points(text)).toHaveLength(7);
  expect(
    points(text)
      .map(({ drop }) => drop)
      .slice(0, 4),
  ).toEqual([0, 0.1, 0.2, 0]);
  expect(spec.program?.floatParameters).toEqual(['drop']);
});

test('method bayes is treated as tpe, and the plan has a note about this', () => {
  const spec = parse(`
program: train.py
method: bayes
metric: {name: acc, goal: maximize}
parameters:
  a: {distribution: normal, mu: 0, sigma: 2}
  b: {distribution: q_log_normal, mu: 1, sigma: 1, q: 2}
  c: {distribution: beta, a: 2, b: 5}
  d: {values: [x, y], probabilities: [1, 3]}
  e: {distribution: log_uniform, min: -3, max: 0}
  f: {distribution: constant, value: 5}
  g: {distribution: inv_log_uniform_values, min: 1, max: 10}
  h: {min: 1, max: 9}
  i: {min: 1.0, max: 9.0}
`);
  expect(spec.search?.method).toBe('tpe');
  expect(spec.notes).toEqual([
    'method bayes is treated as tpe',
    'the file has no run_cap: the sweep has at most 10,000 trials',
  ]);
  expect([...(spec.search?.space.values() ?? [])].map(({ kind }) => kind)).toEqual([
    'normal',
    'log_normal',
    'beta',
    'categorical',
    'log_uniform',
    'constant',
    'log_uniform',
    'int_uniform',
    'uniform',
  ]);
  expect(plan(spec)).toMatchObject({ trials: 10_000, isBound: true });
});

test('a W&B file without a metric is accepted, and the plan states how trials are ranked', () => {
  const spec = parse('program: train.py\nmethod: grid\nparameters: {lr: {values: [1, 2]}}\n');
  expect(spec.metric).toMatchObject({ name: '', goal: 'minimize' });
  expect(spec.notes).toHaveLength(1);
  expect(spec.notes[0]).toMatch(/^the file names no metric: trials are ranked by /);
});

test("the macros of W&B's agent are accepted", () => {
  const spec = parse(`
program: train.py
command: ["\${env}", "\${interpreter}", -u, "\${program}", run, "\${args_no_hyphens}", "\${args_json}", "\${envvar:HOME}/x"]
metric: {name: loss}
parameters: {lr: {values: [1, 2]}}
`);
  expect(spec.command).toEqual([
    '/usr/bin/env',
    'python3',
    '-u',
    'train.py',
    'run',
    '${args_no_hyphens}',
    '${args_json}',
    '${envvar:HOME}/x',
  ]);
});

test('a command that is one text is split as a shell would split the text', () => {
  const spec = parse(`
command: python3 -c "print(1, 2)" --name='a b' \${args} --copy=\${param:m.lr}
metric: {name: loss}
parameters: {m: {parameters: {lr: {value: 1}}}}
`);
  expect(spec.command).toEqual(['python3', '-c', 'print(1, 2)', '--name=a b', '${args}', '--copy=${param:m.lr}']);
});

test('mappings and nested lists can be parameter values, can be matched by rules, and can be set by `when`', () => {
  const text = `
program: train.py
metric: {name: loss}
parameters:
  opt: {values: [{name: adam, betas: [0.9, 0.99]}, {name: sgd}]}
  sizes: {values: [[8, 8], [16], []]}
  init: {values: [null, warm]}
exclude:
  - {sizes: [8, 8]}
  - {sizes: [[]], init: null}
when:
  - {if: {opt: {name: sgd}, init: [null]}, set: {sizes: [32, {a: null}]}}
`;
  expect(json(points(text))).toEqual([
    { opt: { name: 'adam', betas: [0.9, 0.99] }, sizes: [16], init: null },
    { opt: { name: 'adam', betas: [0.9, 0.99] }, sizes: [16], init: 'warm' },
    { opt: { name: 'adam', betas: [0.9, 0.99] }, sizes: [], init: 'warm' },
    { opt: { name: 'sgd' }, sizes: [32, { a: null }], init: null },
    { opt: { name: 'sgd' }, sizes: [16], init: 'warm' },
    { opt: { name: 'sgd' }, sizes: [], init: 'warm' },
  ]);
  expect(plan(parse(text)).excluded).toEqual([
    { rule: 'sizes=[8,8]', count: 4 },
    { rule: 'sizes=[], init=null', count: 2 },
  ]);
});

test('nested parameters of any depth are joined with dots', () => {
  const levels = 20;
  const text = `${'{parameters: {n: '.repeat(levels)}{value: 1}${'}}'.repeat(levels)}`;
  const spec = parse(`{program: t.py, metric: {name: loss}, ${text.slice(1)}`);
  expect(spec.axes.map(({ name }) => name)).toEqual([Array.from({ length: levels }, () => 'n').join('.')]);
});

test('the keys env, report, classify, wandb and first_report are parsed as settings of the program', () => {
  const { program } = parse(`
program: t.py
metric: {name: loss}
env: {OMP_NUM_THREADS: 3, FLAG: true, RATE: 1.0, NAME: a b}
report: [python, {regex: 'loss=(?<loss>\\S+)'}, {tfevents: logs}, {csv: m.csv}, {hook: [tensorboard, mlflow]}]
classify: [{pattern: 'NCCL error', class: crash}, {pattern: full, class: preflight}]
wandb: online
first_report: 10m
parameters: {lr: {values: [1.0, 0.5]}, n: {values: [1, 2]}, k: {value: 1e3}, l: {values: [[1.0, 2.0]]}, m: {value: [1.0, 2]}}
when: [{if: {n: 1}, set: {m: 4.0}}]
`);
  expect(program).toEqual({
    env: { OMP_NUM_THREADS: '3', FLAG: 'true', RATE: '1.0', NAME: 'a b' },
    report: [
      { source: { $case: 'python', python: true } },
      { source: { $case: 'regex', regex: 'loss=(?<loss>\\S+)' } },
      { source: { $case: 'tfevents', tfevents: 'logs' } },
      { source: { $case: 'csv', csv: 'm.csv' } },
      { source: { $case: 'hook', hook: 'mlflow' } },
      { source: { $case: 'hook', hook: 'tensorboard' } },
    ],
    classify: [
      { pattern: 'NCCL error', class: 'FAILURE_CLASS_CRASH' },
      { pattern: 'full', class: 'FAILURE_CLASS_PREFLIGHT' },
    ],
    wandb: WandbMode.ONLINE,
    floatParameters: ['k', 'l', 'lr'],
    floatValues: [
      { parameter: 'm', value: '[1,2]', floats: ['/0'] },
      { parameter: 'm', value: '4', floats: [''] },
    ],
    metric: 'loss',
    firstReportMs: 600_000,
    seedParameter: '',
    parameterOrder: ['lr', 'n', 'k', 'l', 'm'],
  });
});

test('in a W&B file too, the key `code` sets the folder (relative to the sweep file) and the patterns to exclude', () => {
  const parsed = (code: string) => parse(`program: t.py\nproject: p\ncode: ${code}\nparameters: {}\n`);
  const defaults = { dir: '.', exclude: [], diff: true, maxBytes: 100_000_000 };
  for (const code of ['.', '{}', '{dir: .}']) expect(parsed(code)).toMatchObject({ isWandbFile: true, code: defaults });
  expect(parsed('{dir: ../src, exclude: [data/, "*.pt"], diff: false, limit: 1GiB}').code).toEqual({
    dir: '../src',
    exclude: ['data/', '*.pt'],
    diff: false,
    maxBytes: 2 ** 30,
  });
  const fingerprints = ['.', '{limit: 1MB, diff: false}', 'src', '{exclude: [a]}'].map((code) =>
    sweepFingerprint(parsed(code)),
  );
  expect(fingerprints[1]).toBe(fingerprints[0]);
  expect(new Set(fingerprints).size).toBe(3);
});

test('a sweep file that is not a W&B file has no W&B defaults', () => {
  const { program, isWandbFile } = parse('command: [t]\nmetric: {name: loss}\nparameters: {}\n');
  expect([isWandbFile, program?.wandb, program?.report]).toEqual([false, WandbMode.OFF, []]);
  const withArgs = parse('command: [python3, t.py, "${args}"]\nmetric: {name: loss}\nparameters: {}\n');
  expect([withArgs.isWandbFile, withArgs.program?.wandb, withArgs.program?.report]).toEqual([false, WandbMode.OFF, []]);
  const withProject = parse('project: p\ncommand: [python3, t.py, "${args}"]\nmetric: {name: loss}\nparameters: {}\n');
  expect([withProject.isWandbFile, withProject.program?.wandb]).toEqual([true, WandbMode.OFFLINE]);
});

test('a setting of the program or of the search changes the fingerprint, unless it is the default or does not affect results', () => {
  const file = (more: string) =>
    sweepFingerprint(parse(`program: t.py\nmetric: {name: loss}\nparameters: {x: {values: [1, 2]}}\n${more}\n`));
  const plain = file('');
  for (const same of ['wandb: offline', 'report: [json, {hook: wandb}]', 'first_report: 1m', 'project: p']) {
    expect(file(same), same).toBe(plain);
  }
  const others = ['wandb: off', 'report: python', 'env: {A: 1}', 'run_cap: 1', 'method: random', 'method: tpe'];
  const prints = [...others, 'classify: [{pattern: x, class: oom}]'].map(file);
  expect(new Set([plain, ...prints]).size).toBe(prints.length + 1);
});

const NAME = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((name) => !/\p{Cc}|=/u.test(name) && name.trim() === name && /\S/.test(name) && name !== 'seed');

test('any short text without =, without control characters and without spaces at its ends is a valid parameter name', () => {
  const names = fc.uniqueArray(
    fc.oneof(
      NAME,
      fc.constantFrom(
        '+a',
        '++a.b',
        '~a',
        'a/b',
        '_lr',
        'a[0]',
        'größe',
        '学习率',
        '__proto__',
        'constructor',
        'toString',
        '0',
      ),
    ),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(names, (list) => {
      const entries = list.map((name) => `${JSON.stringify(name)}: {values: [1, 2]}`).join(', ');
      const rule = `exclude: [{${list.map((name) => `${JSON.stringify(name)}: 2`).join(', ')}}]`;
      const spec = parse(`trainer: noop\nparameters: {${entries}}\n${rule}\n`);
      expect(spec.axes.map(({ name }) => name)).toEqual(list);
      const trials = [...enumerateTrials(spec)];
      expect(trials).toHaveLength(2 ** list.length - 1);
      for (const { parameters } of trials) for (const name of list) expect(Object.hasOwn(parameters, name)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test('a parameter value of any JSON type is unchanged after parsing, and a list with two equal values is rejected', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      const text = JSON.stringify(value);
      fc.pre(!/\d{16}/.test(text));
      const [trial] = enumerateTrials(parse(`trainer: noop\nparameters: {x: {value: ${text}}}\n`));
      expect(json(trial?.parameters.x)).toEqual(json(JSON.parse(text)));
      expect(() => parse(`trainer: noop\nparameters: {x: {values: [${text}, ${text}]}}\n`)).toThrow('is listed twice');
    }),
  );
});

test('in a W&B file, a grid value that is listed twice runs once, and a note reports the duplicate', () => {
  const text = `
program: train.py
method: grid
parameters:
  on: {values: [yes, on, no]}
  lr: {values: [1e-3, 0.1, 1.0e-3]}
  none: {values: [null, ~]}
  seed: {values: [1, 2, 1]}
`;
  expect(points(text)).toEqual(
    [true, false].flatMap((on) =>
      [0.001, 0.1].flatMap((lr) => [1, 2].map(() => ({ on, lr, none: expect.anything() }))),
    ),
  );
  expect(parse(text)).toMatchObject({ seeds: [1, 2] });
  expect(parse(text).notes.slice(1)).toEqual([
    'on: true is listed twice and runs once',
    'lr: 0.001 is listed twice and runs once',
    'none: null is listed twice and runs once',
    'seed: 1 is listed twice and runs once',
  ]);
  expect(() => parse(text.replace('program: train.py', 'command: python3 train.py\nmetric: {name: loss}'))).toThrow(
    'is listed twice, first at',
  );
});

test('mappings keep the order of their keys, and a key that is not text becomes text', () => {
  const text = `
program: train.py
method: grid
parameters:
  cfg:
    values:
      - {z: 1, a: {y: 1, x: [{d: 1, c: 2}]}}
      - {true: 1, null: 2, 1.5: 3, 1.0: 4}
  same: {value: {a: {x: [{c: 2, d: 1}], y: 1}, z: 1}}
`;
  expect(points(text).map(({ cfg }) => pythonText(json(cfg)))).toEqual([
    "{'z': 1, 'a': {'y': 1, 'x': [{'d': 1, 'c': 2}]}}",
    "{'true': 1, 'null': 2, '1.5': 3, '1.0': 4}",
  ]);
  const [first] = points(text);
  expect(first?.same).toBe(first?.cfg);
});

test('if a mapping of a W&B file has two equal keys, the key has its last value and its first position', () => {
  const text = `
program: train.py
method: grid
parameters:
  lr: {value: 1}
  bs: {value: 2}
  lr: {value: 3}
`;
  expect(points(text).map((point) => Object.entries(point))).toEqual([
    [
      ['lr', 3],
      ['bs', 2],
    ],
  ]);
});

test('texts at the top level of a W&B file need no quotes', () => {
  const text =
    'program: train.py\nproject: 2024\ndescription: 1.50\nname: 0012\nmethod: grid\nparameters: {lr: {value: 1}}';
  expect(parse(text)).toMatchObject({ name: '0012', description: '1.50' });
});

test('in a W&B file, items of a command need no quotes: PyYAML rules give the value, and Python notation gives its text', () => {
  const text = (items: string) => `
program: train.py
method: grid
parameters: {lr: {value: 1}}
command: [python3, "\${program}", ${items}]
`;
  const items: readonly (readonly [written: string, argument: string])[] = [
    ['5', '5'],
    ['-0.50', '-0.5'],
    ['1.0', '1.0'],
    ['1e-3', '1e-3'],
    ['1.0e-3', '0.001'],
    ['1e5', '1e5'],
    ['1_000', '1000'],
    ['0x1F', '31'],
    ['017', '15'],
    ['08', '08'],
    ['true', 'True'],
    ['off', 'False'],
    ['null', 'None'],
    ['"5"', '5'],
    ['"on"', 'on'],
    ['"1_000"', '1_000'],
  ];
  const { command } = parse(text(items.map(([written]) => written).join(', ')));
  expect(command).toEqual(['python3', 'train.py', ...items.map(([, argument]) => argument)]);
  expect(() => parse('command: [python3, 5]\nmetric: {name: loss}\nparameters: {lr: {value: 1}}')).toThrow(
    'w.yaml:1:20: expected text, got 5; put quotes around it',
  );
});
