// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { convertText } from './convert.ts';
import { toYaml } from './converted.ts';
import { splitTop } from './hydra.ts';

/** Converts a text, and checks that the result is a sweep file. */
async function convert(text: string, files: Readonly<Record<string, string>> = {}) {
  const converted = await convertText(text, 'file', undefined, async (name) => {
    const content = files[name];
    if (content === undefined) throw new Error('no such file');
    return parse(content);
  });
  expect(() => parseSweep(toYaml(converted), 'converted.yaml')).not.toThrow();
  return converted;
}

test('a Katib Experiment is converted with its objective, algorithm, parameters, container command and stdout format', async () => {
  const { sweep, notes } = await convert(`
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: random-mnist}
spec:
  objective: {type: maximize, goal: 0.99, objectiveMetricName: accuracy, additionalMetricNames: [loss]}
  algorithm: {algorithmName: random}
  parallelTrialCount: 3
  maxTrialCount: 12
  maxFailedTrialCount: 3
  metricsCollectorSpec: {source: {filter: {metricsFormat: ['{metricName: ([\\w|-]+), metricValue: ((-?\\d+)(\\.\\d+)?)}']}}}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: "0.01", max: "0.05"}}
    - {name: layers, parameterType: int, feasibleSpace: {min: "2", max: "5"}}
    - {name: momentum, parameterType: double, feasibleSpace: {min: "0.5", max: "0.9", step: "0.1"}}
    - {name: optimizer, parameterType: categorical, feasibleSpace: {list: [sgd, adam]}}
  trialTemplate:
    trialParameters:
      - {name: learningRate, reference: lr}
      - {name: optimizer, reference: optimizer}
    trialSpec:
      kind: Job
      spec: {template: {spec: {containers: [{name: c, image: mnist, command: [python3, mnist.py, "--lr=\${trialParameters.learningRate}", "--opt", "\${trialParameters.optimizer}"], resources: {limits: {nvidia.com/gpu: 1}}}]}}}
`);
  expect(sweep).toEqual({
    name: 'random-mnist',
    method: 'random',
    metric: { name: 'accuracy', goal: 'maximize', target: 0.99 },
    command: ['python3', 'mnist.py', '--lr=${param:lr}', '--opt', '${param:optimizer}'],
    parameters: {
      lr: { distribution: 'uniform', min: 0.01, max: 0.05 },
      layers: { distribution: 'int_uniform', min: 2, max: 5 },
      momentum: { min: 0.5, max: 0.9, step: 0.1 },
      optimizer: { values: ['sgd', 'adam'] },
    },
    run_cap: 12,
    concurrency: 3,
    max_failed: 3,
    resources: { gpu: 1 },
    early_terminate: undefined,
    report: { regex: '\\{metricName: (?<name>[\\w|-]+), metricValue: (?<value>(?:-?\\d+)(?:\\.\\d+)?)\\}' },
  });
  expect(notes.join('\n')).toContain('container image mnist is omitted');
});

test('a Determined experiment is converted with its searcher, its resources and hyperparameters of every type', async () => {
  const { sweep, notes } = await convert(`
name: mnist
entrypoint: python3 train.py --epochs 3
hyperparameters:
  global_batch_size: 64
  lr: {type: log, minval: -4, maxval: -1, base: 10}
  dropout: {type: double, minval: 0.2, maxval: 0.8}
  n_filters: {type: int, minval: 8, maxval: 64}
  act: {type: categorical, vals: [relu, tanh]}
  optimizer: {momentum: {type: const, val: 0.9}}
searcher: {name: adaptive_asha, metric: validation_loss, smaller_is_better: true, max_trials: 16, max_length: {epochs: 5}}
resources: {slots_per_trial: 2}
max_restarts: 1
`);
  expect(sweep).toMatchObject({
    method: 'random',
    metric: { name: 'validation_loss', goal: 'minimize' },
    command: ['python3', 'train.py', '--epochs', '3', '${args}'],
    parameters: {
      global_batch_size: { value: 64 },
      lr: { distribution: 'log_uniform_values', min: 1e-4, max: 0.1 },
      dropout: { distribution: 'uniform', min: 0.2, max: 0.8 },
      n_filters: { distribution: 'int_uniform', min: 8, max: 64 },
      act: { values: ['relu', 'tanh'] },
      optimizer: { parameters: { momentum: { value: 0.9 } } },
    },
    run_cap: 16,
    resources: { gpu: 2 },
    retry: { crash: 1 },
    early_terminate: { type: 'asha', min_iter: 1, eta: 4 },
  });
  expect(notes.join('\n')).toContain('max_length');
});

test('each parameter of a converted Determined grid has the number of values that its setting `count` requests', async () => {
  const { sweep } = await convert(`
entrypoint: model_def:MNISTTrial
hyperparameters: {lr: {type: log, minval: -3, maxval: -1, count: 3}, n: {type: int, minval: 1, maxval: 4, count: 2}}
searcher: {name: grid, metric: acc, smaller_is_better: false}
`);
  expect(sweep).toMatchObject({
    method: 'grid',
    command: ['python3', 'main.py', '${args}'],
    parameters: { lr: { values: [0.001, 0.01, 0.1] }, n: { values: [1, 4] } },
  });
});

test('an NNI configuration is converted together with the file of its search space', async () => {
  const space =
    '{"lr": {"_type": "loguniform", "_value": [0.0001, 0.1]}, "bs": {"_type": "choice", "_value": [16, 32]}, "n": {"_type": "randint", "_value": [1, 5]}, "q": {"_type": "quniform", "_value": [0, 1, 0.5]}}';
  const { sweep } = await convert(
    'searchSpaceFile: space.json\ntrialCommand: python3 mnist.py\ntrialGpuNumber: 0\ntrialConcurrency: 2\nmaxTrialNumber: 10\ntuner: {name: TPE, classArgs: {optimize_mode: maximize}}\n',
    { 'space.json': space },
  );
  expect(sweep).toMatchObject({
    method: 'tpe',
    metric: { name: 'default', goal: 'maximize' },
    command: ['python3', 'mnist.py', '${args}'],
    parameters: {
      lr: { distribution: 'log_uniform_values', min: 0.0001, max: 0.1 },
      bs: { values: [16, 32] },
      n: { distribution: 'int_uniform', min: 1, max: 4 },
      q: { distribution: 'q_uniform', min: 0, max: 1, q: 0.5 },
    },
    run_cap: 10,
    concurrency: 2,
    resources: { gpu: false },
  });
  expect((await convert(space)).sweep.parameters.bs).toEqual({ values: [16, 32] });
});

test('the distributions of Optuna are converted', async () => {
  const { sweep } = await convert(
    JSON.stringify({
      lr: { name: 'FloatDistribution', attributes: { low: 1e-5, high: 0.1, log: true, step: null } },
      drop: { name: 'FloatDistribution', attributes: { low: 0, high: 1, log: false, step: 0.25 } },
      n: { name: 'IntDistribution', attributes: { low: 1, high: 9, log: false, step: 2 } },
      opt: { name: 'CategoricalDistribution', attributes: { choices: ['sgd', null] } },
      old: { name: 'LogUniformDistribution', attributes: { low: 1, high: 2 } },
    }),
  );
  expect(sweep.parameters).toEqual({
    lr: { distribution: 'log_uniform_values', min: 1e-5, max: 0.1 },
    drop: { min: 0, max: 1, step: 0.25 },
    n: { min: 1, max: 9, step: 2 },
    opt: { values: ['sgd', null] },
    old: { distribution: 'log_uniform_values', min: 1, max: 2 },
  });
});

test('both JSON forms of a Ray Tune search space are converted, with nested and constant entries', async () => {
  const { sweep } = await convert(
    '{"metric": "acc", "mode": "max", "num_samples": 20, "lr": {"loguniform": [1e-4, 0.1]}, "opt": {"type": "choice", "categories": ["a", "b"]}, "net": {"layers": {"randint": [1, 5]}, "act": "relu"}}',
  );
  expect(sweep).toEqual({
    method: 'random',
    command: ['python3', 'main.py', '${args}'],
    metric: { name: 'acc', goal: 'maximize' },
    parameters: {
      lr: { distribution: 'log_uniform_values', min: 1e-4, max: 0.1 },
      opt: { values: ['a', 'b'] },
      net: { parameters: { layers: { distribution: 'int_uniform', min: 1, max: 4 }, act: { value: 'relu' } } },
    },
    run_cap: 20,
    concurrency: undefined,
  });
  expect((await convert('{"lr": {"grid_search": [1, 2]}}')).sweep).toMatchObject({
    method: 'grid',
    parameters: { lr: { values: [1, 2] } },
  });
});

describe('population based training', () => {
  const katib = (settings: string, more = '') => `
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: simple-pbt}
spec:
  objective: {type: maximize, objectiveMetricName: accuracy}
  algorithm: {algorithmName: pbt, algorithmSettings: [${settings}]}
  parallelTrialCount: 2
  ${more}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: "0.0001", max: "0.02", step: "0.0001"}}
    - {name: act, parameterType: categorical, feasibleSpace: {list: [relu]}}
`;

  test("Katib's settings of a population are converted, and the trial count is converted to generations", async () => {
    const settings =
      '{name: suggestion_trial_dir, value: /ckpt/}, {name: n_population, value: "10"}, {name: truncation_threshold, value: "0.3"}';
    const { sweep, notes } = await convert(
      katib(settings, 'maxTrialCount: 45\n  earlyStopping: {algorithmName: medianstop}'),
    );
    expect(sweep).toMatchObject({
      method: 'pbt',
      population: 10,
      // Without resample_probability, Katib perturbs every parameter.
      pbt: { interval: 1, quantile: 0.3, resample: 0, explore: ['lr'] },
      parameters: { lr: { distribution: 'uniform', min: 0.0001, max: 0.02 }, act: { values: ['relu'] } },
      concurrency: 2,
    });
    expect([sweep.run_cap, sweep.early_terminate]).toEqual([undefined, undefined]);
    expect(notes.join('\n')).toContain(
      'maxTrialCount 45 counts each generation of a member: the program must train for 5',
    );
    expect(notes.join('\n')).toContain('early stopping medianstop is omitted');
  });

  test.each([
    ['{collector: {kind: File}}', '/var/log/katib/metrics.log'],
    ['{collector: {kind: File}, source: {fileSystemPath: {path: /out/metrics.txt}}}', '/out/metrics.txt'],
  ])('a note about the metrics collector %s names the file that it reads', async (collector, file) => {
    const { notes } = await convert(katib('', `metricsCollectorSpec: ${collector}`));
    expect(notes.join('\n')).toContain(`metrics in the file ${file}: print them`);
  });

  test("a Katib file without the required settings gets the values of Katib's example, with a note for each", async () => {
    const text = toYaml(await convert(katib('{name: resample_probability, value: "0.5"}')));
    expect(parse(text)).toMatchObject({ population: 40, pbt: { quantile: 0.2, resample: 0.5 } });
    expect(text).toContain(
      "# - the file has no n_population, which Katib requires; 40 is used, as in Katib's own example.",
    );
    expect(text).toContain('# - the file has no truncation_threshold');
  });

  test.each([
    ['1', '0.2', 2, 0.5],
    ['4000', '0.2', 1000, 0.2],
    ['5', '0.9', 5, 0.5],
    ['3', '0.1', 3, 0.34],
  ])(
    "settings outside trawl's limits are replaced: population %s and truncation threshold %s become %i members and quantile %f",
    async (size, share, population, quantile) => {
      const settings = `{name: n_population, value: "${size}"}, {name: truncation_threshold, value: "${share}"}`;
      const { sweep, notes } = await convert(katib(settings));
      expect(sweep).toMatchObject({ population, pbt: { quantile } });
      expect(notes.join('\n')).toMatch(/is not from 2 to 1000|cannot be replaced/);
    },
  );

  const nni = (classArgs: string, space: string) =>
    `trialCommand: python3 mnist.py\nmaxTrialNumber: 30\ntuner: {name: PBT, classArgs: {${classArgs}}}\nsearchSpace: {${space}}\n`;

  test("the arguments of NNI's PBTTuner are converted, and parameters without limits are not explored", async () => {
    const space =
      'lr: {_type: loguniform, _value: [0.0001, 0.1]}, bs: {_type: choice, _value: [16, 32]}, w: {_type: normal, _value: [0, 1]}';
    const { sweep } = await convert(
      nni('optimize_mode: minimize, population_size: 6, factor: 0.3, fraction: 0.25, resample_probability: 0.1', space),
    );
    expect(sweep).toMatchObject({
      method: 'pbt',
      population: 6,
      pbt: { interval: 1, quantile: 0.25, perturb: [0.7, 1.3], resample: 0.1, explore: ['lr', 'bs'] },
      metric: { name: 'default', goal: 'minimize' },
      run_cap: undefined,
    });
  });

  test('an NNI file without arguments gets the defaults of PBTTuner, with a note', async () => {
    const { sweep, notes } = await convert(nni('', 'lr: {_type: uniform, _value: [0, 1]}'));
    expect(sweep).toMatchObject({
      population: 10,
      pbt: { interval: 1, quantile: 0.2, perturb: [0.8, 1.2], resample: 0.25, explore: ['lr'] },
    });
    expect(notes).toContain("the file has no population_size; 10 is used, which is NNI's default.");
  });

  test('a population file without a parameter to explore is converted to a random search', async () => {
    const { sweep, notes } = await convert(nni('', 'w: {_type: normal, _value: [0, 1]}'));
    expect(sweep).toMatchObject({ method: 'random', run_cap: 30 });
    expect(sweep.population).toBeUndefined();
    expect(notes.join('\n')).toContain('random is used');
  });
});

describe("Hydra's arguments", () => {
  test.each([
    ['lr=1e-3,1e-4', { lr: { values: [0.001, 0.0001] } }],
    ['bs=range(32,129,32)', { bs: { values: [32, 64, 96, 128] } }],
    ['n=range(3)', { n: { values: [0, 1, 2] } }],
    ['x=range(0,1,step=0.25)', { x: { values: [0, 0.25, 0.5, 0.75] } }],
    ['+a=1 ++b.c=x,y', { '+a': { value: 1 }, '++b.c': { values: ['x', 'y'] } }],
    ['db/mysql=dev,prod', { 'db/mysql': { values: ['dev', 'prod'] } }],
    [
      "sizes=[8,8],[16] opt='{a: 1},{b: [2,3]}'",
      { sizes: { values: [[8, 8], [16]] }, opt: { values: [{ a: 1 }, { b: [2, 3] }] } },
    ],
    [
      'c=choice(a,b) d=shuffle(1,2) e=tag(t,choice(1,2))',
      { c: { values: ['a', 'b'] }, d: { values: [1, 2] }, e: { values: [1, 2] } },
    ],
    ['x=null,true,False', { x: { values: [null, true, false] } }],
    ['lr=tag(log,interval(0.001,0.1))', { lr: { distribution: 'log_uniform_values', min: 0.001, max: 0.1 } }],
    ['lr=interval(0,0.1)', { lr: { distribution: 'uniform', min: 0, max: 0.1 } }],
  ])('the arguments %s are converted to parameters', async (text, parameters) => {
    expect((await convert(text)).sweep.parameters).toEqual(parameters);
  });

  test('in Hydra arguments, the program, deletions (~) and Hydra settings do not become parameters', async () => {
    const { sweep, notes } = await convert('python3 train.py -m lr=1,2 ~db hydra.run.dir=out hydra/launcher=joblib');
    expect(sweep.command).toEqual(['python3', 'train.py', '~db', 'hydra.run.dir=out', '${args_no_hyphens}']);
    expect(sweep.parameters).toEqual({ lr: { values: [1, 2] } });
    expect(notes.join('\n')).toContain('hydra/launcher=joblib');
  });

  test('a Hydra command over several lines is converted, and values that cannot be listed are kept as text', async () => {
    const { sweep, notes } = await convert(
      'python train.py --multirun lr=0.1,0.2 \\\n  ++k=interval(0,1) db=glob(*) \\\n n=range(3,3)\n',
    );
    expect(sweep.parameters).toEqual({
      lr: { values: [0.1, 0.2] },
      '++k': { distribution: 'uniform', min: 0, max: 1 },
      db: { value: 'glob(*)' },
      n: { value: 'range(3,3)' },
    });
    expect(notes.join('\n')).toContain('n: range(3,3) has no values and is kept as text.');
  });

  test("the parameters of a Hydra configuration's basic sweeper are converted", async () => {
    const { sweep } = await convert(
      'defaults: [_self_]\nlr: 1\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      lr: 1e-3,1e-4\n      seed: range(3)\n      +n: 4\n',
    );
    expect(sweep).toMatchObject({
      method: 'grid',
      parameters: { lr: { values: [0.001, 0.0001] }, seed: { values: [0, 1, 2] }, '+n': { value: 4 } },
    });
    expect(sweep.run_cap).toBeUndefined();
  });

  test("the parameters of Hydra's Optuna and Ax sweepers are converted", async () => {
    const optuna = await convert(
      'hydra:\n  sweeper:\n    direction: maximize\n    n_trials: 20\n    params: {x: "interval(-5, 5)", db: "choice(a, b)"}\n    search_space: {n: {type: int, low: 1, high: 4}, l: {type: float, low: 0.1, high: 1, log: true}}\n',
    );
    expect(optuna.sweep).toMatchObject({
      method: 'tpe',
      run_cap: 20,
      parameters: {
        x: { distribution: 'uniform', min: -5, max: 5 },
        db: { values: ['a', 'b'] },
        n: { distribution: 'int_uniform', min: 1, max: 4 },
        l: { distribution: 'log_uniform_values', min: 0.1, max: 1 },
      },
    });
    expect(optuna.notes.join('\n')).toContain("the sweeper's direction is maximize");
    const ax = await convert(
      '_target_: hydra_plugins.hydra_ax_sweeper.ax_sweeper.AxSweeper\nax_config:\n  max_trials: 10\n  params:\n    lr: {type: range, bounds: [0.1, 1.0], log_scale: true}\n    n: {type: choice, values: [1, 2]}\n    f: {type: fixed, value: 3}\n',
    );
    expect(ax.sweep).toMatchObject({
      method: 'tpe',
      run_cap: 10,
      parameters: {
        lr: { distribution: 'log_uniform_values', min: 0.1, max: 1 },
        n: { values: [1, 2] },
        f: { value: 3 },
      },
    });
  });

  test('Hydra arguments are split only at commas outside quotes and brackets', () => {
    expect(splitTop(`a,"b,c",[d,e],f(g,h),'i\\',j'`)).toEqual(['a', '"b,c"', '[d,e]', 'f(g,h)', `'i\\',j'`]);
  });
});

test.each(['', 'just text', '{"a": 1}', '- a\n- b\n', '{"a": '])(
  'convert rejects %j with a list of the supported formats',
  async (text) => {
    await expect(convert(text)).rejects.toThrow(/expected a Katib Experiment/);
  },
);

test('a converted file begins with a list of the settings that were not converted, and contains no key without a value', async () => {
  const text = toYaml(await convert('lr=1e-3,1e-4'));
  expect(text).toMatch(/^# Converted from Hydra's multirun arguments\.\n# Not converted, or to be checked:\n# - /);
  expect(parse(text)).toEqual({
    method: 'grid',
    command: ['python3', 'main.py', '${args_no_hyphens}'],
    parameters: { lr: { values: [0.001, 0.0001] } },
  });
});
