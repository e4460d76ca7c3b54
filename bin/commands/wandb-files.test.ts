// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/**
 * Tests the plans of twelve W&B sweep files. Together, the files contain every form of every key of a W&B sweep file.
 * Each plan must equal the sweep that W&B would run.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { enumerateTrials } from '../../coordinator/grid/enumerate.ts';
import { plan } from '../../coordinator/grid/plan.ts';
import { distributionText } from '../../coordinator/search/distribution.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { packageRoot } from '../../lib/files/package-root.ts';
import { commandLineOf } from '../output/command-line.ts';

interface Expected {
  readonly name: string;
  readonly trials: number;
  readonly configs: number;
  readonly replicates: number;
  /** The values of each axis, or the distribution of each parameter of a search. */
  readonly space: Readonly<Record<string, string>>;
  readonly objective: string;
  readonly ignored?: readonly string[];
  readonly notes?: readonly string[];
  /** The first and the last command line of a grid. */
  readonly commands: readonly string[];
}

const FILES: Readonly<Record<string, Expected>> = {
  'cifar-grid.yaml': {
    name: 'resnet-grid',
    ...{ trials: 16, configs: 16, replicates: 1 },
    space: {
      arch: 'resnet18, resnet34',
      optimizer: 'sgd, adamw',
      lr: '0.1, 0.001',
      pretrained: 'true, false',
      epochs: '90',
      data_dir: '/data/cifar10',
    },
    objective: 'maximize val/accuracy (last value)',
    ignored: ['project', 'entity', 'parameters.optimizer.distribution', 'parameters.epochs.distribution'],
    commands: [
      '/usr/bin/env python3 train.py --arch=resnet18 --optimizer=sgd --lr=0.1 --pretrained=True --epochs=90 --data_dir=/data/cifar10',
      '/usr/bin/env python3 train.py --arch=resnet34 --optimizer=adamw --lr=0.001 --pretrained=False --epochs=90 --data_dir=/data/cifar10',
    ],
  },
  'seeds.yaml': {
    name: 'seeds',
    ...{ trials: 12, configs: 4, replicates: 3 },
    space: { env_id: 'CartPole-v1, Acrobot-v1', gamma: '0.99, 0.999' },
    objective: 'maximize charts/episodic_return (last value)',
    commands: [
      '/usr/bin/env python3 -m rl.train env_id=CartPole-v1 gamma=0.99 seed=1',
      '/usr/bin/env python3 -m rl.train env_id=Acrobot-v1 gamma=0.999 seed=3',
    ],
  },
  'bert-random.yaml': {
    name: 'bert-random',
    ...{ trials: 40, configs: 40, replicates: 1 },
    space: {
      learning_rate: 'log_uniform_values from 0.000001 to 0.0001',
      weight_decay: 'log_uniform_values from 0.001 to 0.1, in multiples of 0.001',
      warmup_ratio: 'uniform from 0 to 0.2',
      label_smoothing: 'uniform from 0 to 0.2, in multiples of 0.05',
      gradient_accumulation_steps: 'whole numbers from 1 to 8',
      max_grad_norm: 'log_uniform_values from 0.1 to 10',
      per_device_train_batch_size: '8 | 16 | 32',
      num_train_epochs: 'whole numbers from 2 to 5',
      dropout: 'uniform from 0 to 0.5',
      model_name_or_path: 'bert-base-uncased',
    },
    objective: 'maximize eval/f1 (last value; target 0.95)',
    commands: [],
  },
  'bayes.yaml': {
    name: 'bayes',
    ...{ trials: 100, configs: 100, replicates: 1 },
    space: {},
    objective: 'minimize loss (last value)',
    notes: ['method bayes is treated as tpe'],
    commands: [],
  },
  'nested.yaml': {
    name: 'nested',
    ...{ trials: 4, configs: 4, replicates: 1 },
    space: {
      'model.encoder.depth': '2, 4',
      'model.encoder.norm': 'layer',
      'model.heads': '4, 8',
      'optim.lr': '0.001',
    },
    objective: 'minimize val.loss (last value)',
    commands: [
      '/usr/bin/env python3 train.py --model.encoder.depth=2 --model.encoder.norm=layer --model.heads=4 --optim.lr=0.001',
      '/usr/bin/env python3 train.py --model.encoder.depth=4 --model.encoder.norm=layer --model.heads=8 --optim.lr=0.001',
    ],
  },
  'structured-values.yaml': {
    name: 'structured-values',
    ...{ trials: 8, configs: 8, replicates: 1 },
    space: {
      channels: '[16,32,64], [32,64,128]',
      crop: 'null, [128,128]',
      loss: '{"name":"dice"}, {"name":"focal","gamma":2}',
      augment: '{"flip":true,"rotate":null}',
      tol: '1e-7',
    },
    objective: 'maximize dice (last value)',
    commands: [
      `/usr/bin/env python3 unet.py '--channels=[16, 32, 64]' --crop=None '--loss={'\\''name'\\'': '\\''dice'\\''}' '--augment={'\\''flip'\\'': True, '\\''rotate'\\'': None}' --tol=1e-07`,
      `/usr/bin/env python3 unet.py '--channels=[32, 64, 128]' '--crop=[128, 128]' '--loss={'\\''name'\\'': '\\''focal'\\'', '\\''gamma'\\'': 2.0}' '--augment={'\\''flip'\\'': True, '\\''rotate'\\'': None}' --tol=1e-07`,
    ],
  },
  'boolean-flags.yaml': {
    name: 'boolean-flags',
    ...{ trials: 4, configs: 4, replicates: 1 },
    space: { amp: 'true, false', 'no-bias': 'true', compile: 'false', 'batch-size': '0o100, 128' },
    objective: 'maximize test_acc (last value)',
    commands: [
      '/usr/bin/env python3 -u train.py --config configs/base.yaml --amp --no-bias --batch-size=0o100',
      '/usr/bin/env python3 -u train.py --config configs/base.yaml --no-bias --batch-size=128',
    ],
  },
  'json-arguments.yaml': {
    name: 'json-arguments',
    ...{ trials: 2, configs: 2, replicates: 1 },
    space: { alpha: '0.5, 1', kernel: "rbf 'ard'" },
    objective: 'minimize rmse (last value)',
    commands: [
      `/usr/bin/env JULIA_NUM_THREADS=4 <JULIA> --project=. main.jl '{"alpha": 0.5, "kernel": "rbf '\\''ard'\\''"}' --file <args_json_file> --alpha 0.5 --kernel 'rbf '\\''ard'\\'''`,
      `/usr/bin/env JULIA_NUM_THREADS=4 <JULIA> --project=. main.jl '{"alpha": 1.0, "kernel": "rbf '\\''ard'\\''"}' --file <args_json_file> --alpha 1.0 --kernel 'rbf '\\''ard'\\'''`,
    ],
  },
  'hydra.yaml': {
    name: 'hydra',
    ...{ trials: 4, configs: 4, replicates: 1 },
    space: {
      '+experiment': 'small, large',
      '++trainer.max_epochs': '5',
      'db/mysql': 'local',
      'model.lr': '0.01, 0.001',
    },
    objective: 'minimize loss (last value)',
    ignored: ['project'],
    commands: [
      "/usr/bin/env python3 app.py +experiment=small ++trainer.max_epochs=5 db/mysql=local model.lr=0.01 'hydra.run.dir=outputs/${now:%Y-%m-%d}/${hydra.job.num}' trainer.default_root_dir=<artifacts>",
      "/usr/bin/env python3 app.py +experiment=large ++trainer.max_epochs=5 db/mysql=local model.lr=0.001 'hydra.run.dir=outputs/${now:%Y-%m-%d}/${hydra.job.num}' trainer.default_root_dir=<artifacts>",
    ],
  },
  'steps-and-cap.yaml': {
    name: 'steps-and-cap',
    ...{ trials: 10, configs: 10, replicates: 1 },
    space: { layers: '1, 2, 3', heads: '1, 2', width: '64, 128' },
    objective: 'minimize loss (last value; target 0.01)',
    commands: [
      '/usr/bin/env python3 train.py --layers=1 --heads=1 --width=64',
      '/usr/bin/env python3 train.py --layers=3 --heads=1 --width=128',
    ],
  },
  'no-metric.yaml': {
    name: 'no-metric',
    ...{ trials: 4, configs: 4, replicates: 1 },
    space: { n_estimators: '100, 500', max_depth: '3, None' },
    objective: 'minimize  (last value)',
    ignored: [
      ...['project', 'entity', 'apiVersion', 'kind', 'controller', 'job', 'launch', 'scheduler', 'image_uri'],
      ...['settings', 'prior_runs'],
    ],
    notes: [
      'the file names no metric: trials are ranked by the first metric that appears in two reports of a trial; accuracy, F1, AUC, PSNR and the like are maximized, and other metrics are minimized',
    ],
    commands: [
      '/usr/bin/env python3 fit.py --n_estimators=100 --max_depth=3',
      '/usr/bin/env python3 fit.py --n_estimators=500 --max_depth=None',
    ],
  },
  'with-trawl-keys.json': {
    name: 'with-trawl-keys',
    ...{ trials: 4, configs: 2, replicates: 2 },
    space: { lr: '0.1, 0.00001', name: 'a b' },
    objective: 'minimize val_loss (best value)',
    ignored: ['metric.impute'],
    commands: [
      "/usr/bin/env python3 train.py --lr=0.1 '--name=a b' --trial 73d73dfb9c55f930 --lr-again=0.1 --seed=0",
      "/usr/bin/env python3 train.py --lr=1e-05 '--name=a b' --trial 5af1962ce5a86770 --lr-again=1e-05 --seed=1",
    ],
  },
};

const folder = join(packageRoot(), 'bin/commands/fixtures/wandb');
const read = (file: string) => parseSweep(readFileSync(join(folder, file), 'utf8'), file);

test('the list of expected plans covers every W&B file of the folder', () => {
  expect(readdirSync(folder).sort()).toEqual(Object.keys(FILES).sort());
});

test.each(Object.entries(FILES))('the plan of %s equals the sweep that W&B would run', (file, expected) => {
  const spec = read(file);
  const { trials, configs, replicates } = plan(spec);
  const { name, goal, at, target } = spec.metric;
  const listed = spec.axes.map(
    (axis) => [axis.name, Array.from({ length: axis.size }, (_, i) => axis.at(i)).join(', ')] as const,
  );
  const drawn = [...(spec.search?.space ?? [])].map(([key, of]) => [key, distributionText(of)] as const);
  const all = spec.search === undefined ? [...enumerateTrials(spec)] : [];
  const ends = all.length > 0 ? [all.slice(0, 1), all.slice(-1)].flat() : [];
  expect({
    name: spec.name,
    ...{ trials, configs, replicates },
    space: file === 'bayes.yaml' ? {} : Object.fromEntries([...listed, ...drawn]),
    objective: `${goal} ${name} (${at} value${target === undefined ? '' : `; target ${target}`})`,
    ignored: spec.ignored,
    notes: spec.notes,
    commands: ends.map((trial) => commandLineOf(spec, trial)),
  }).toEqual({ ignored: [], notes: [], ...expected });
  expect(spec.isWandbFile).toBe(true);
});

test("the limits of W&B's log-uniform distributions are read as exponents of e, and other numbers are used as written", () => {
  const { search, earlyTerminate } = read('bayes.yaml');
  expect(Object.fromEntries(search?.space ?? [])).toEqual({
    lr: { kind: 'log_uniform', min: Math.exp(-11.5), max: Math.exp(-2.3), q: undefined },
    lr_decay: { kind: 'log_uniform', min: Math.exp(-5), max: 1, q: 0.01 },
    l2: { kind: 'log_uniform', min: Math.exp(-9.2), max: Math.exp(-2.3), q: undefined },
    noise: { kind: 'normal', mu: 0, sigma: 0.1, q: undefined },
    width: { kind: 'normal', mu: 128, sigma: 32, q: 16 },
    scale: { kind: 'log_normal', mu: 0, sigma: 1, q: undefined },
    hidden: { kind: 'log_normal', mu: 5, sigma: 1, q: 8 },
    momentum: { kind: 'beta', a: 5, b: 1, q: undefined },
    mix: { kind: 'beta', a: 2, b: 2, q: 0.1 },
    activation: { kind: 'categorical', values: ['relu', 'gelu', 'tanh'], probabilities: [0.5, 0.3, 0.2] },
  });
  expect(earlyTerminate).toEqual({ type: 'hyperband', steps: { maxIter: 27, brackets: 2 }, eta: 3, strict: false });
  expect(read('steps-and-cap.yaml').earlyTerminate).toEqual({
    type: 'hyperband',
    steps: { minIter: 3 },
    eta: 3,
    strict: false,
  });
});
