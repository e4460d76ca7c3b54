/**
 * Runs the examples with their real Python libraries. The slow suite runs three trials of each example. The third trial
 * fails. TRAWL_FRAMEWORKS=all also runs the unchanged sweep files.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { activate, INSTALL_LIMIT_MS, pythonEnvironment } from '../support/python.ts';
import { hasTool } from '../support/tool.ts';
import { exampleFolder, reportedMs, showTrial, sweepExample } from './sweep.ts';

const ROUND_LIMIT_MS = 300_000;
const WHOLE_LIMIT_MS = 3_600_000;
/**
 * The minimum time between a trial's first and last report, if the reports arrive while the trial runs. Reports that
 * are all read in one poll at the end of the trial arrive within a shorter time.
 */
const LIVE_MS = 100;

const range = (from: number, to: number, by = 1) =>
  Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, index) => from + index * by);

interface Example {
  readonly name: string;
  /** Replaces the parameters of the sweep file. The new parameters give three trials. The last trial fails. */
  readonly parameters: Readonly<Record<string, { readonly value: unknown } | { readonly values: readonly unknown[] }>>;
  readonly metric: string;
  readonly goal: 'minimize' | 'maximize';
  /** The steps of the best trial's reports, in order. */
  readonly steps: readonly number[];
  /** The metrics that the reports must contain, including the ranking metric. */
  readonly metrics: readonly string[];
  readonly artifacts: readonly string[];
  readonly failure: { readonly class: string; readonly message: RegExp };
  /** Whether a trial takes long enough to show that its reports arrive while the trial runs. */
  readonly isLive: boolean;
}

const EXAMPLES: readonly Example[] = [
  {
    name: 'pytorch',
    parameters: { lr: { value: 0.01 }, width: { values: [4, 8, 10_000_000] }, epochs: { value: 12 } },
    metric: 'val_acc',
    goal: 'maximize',
    steps: range(1, 12),
    metrics: ['train_loss', 'val_loss', 'val_acc'],
    artifacts: ['best.pt'],
    failure: { class: 'oom', message: /DefaultCPUAllocator: (can't|not enough)/ },
    isLive: true,
  },
  {
    name: 'huggingface',
    parameters: {
      learning_rate: { value: 0.003 },
      hidden_size: { values: [16, 32, 33] },
      num_train_epochs: { value: 2 },
      per_device_train_batch_size: { value: 32 },
      eval_strategy: { value: 'epoch' },
      logging_steps: { value: 8 },
      save_strategy: { value: 'no' },
      report_to: { value: 'none' },
    },
    metric: 'eval_loss',
    goal: 'minimize',
    steps: [0.5, 1, 1.5, 2],
    metrics: ['loss', 'grad_norm', 'learning_rate', 'eval_loss', 'eval_accuracy', 'train_loss'],
    artifacts: ['config.json', 'model.safetensors', 'training_args.bin'],
    failure: { class: 'crash', message: /ValueError: The hidden size/ },
    isLive: true,
  },
  {
    name: 'keras',
    parameters: { 'learning-rate': { value: 0.01 }, units: { values: [16, 64, -1] }, epochs: { value: 5 } },
    metric: 'validation/epoch_loss',
    goal: 'minimize',
    // The first steps are the epochs, counted from 0. The others are the iterations of evaluation_loss_vs_iterations.
    steps: [...range(0, 4), ...range(22, 110, 22)],
    metrics: ['train/epoch_loss', 'train/epoch_accuracy', 'validation/epoch_loss', 'validation/epoch_accuracy'],
    artifacts: ['model.keras'],
    failure: { class: 'crash', message: /ValueError: .*units=-1/ },
    isLive: false,
  },
  {
    name: 'lightning',
    parameters: { lr: { value: 0.01 }, hidden: { values: [32, 128, -1] }, epochs: { value: 12 } },
    metric: 'val_loss',
    goal: 'minimize',
    steps: range(0, 11),
    metrics: ['step', 'train_loss', 'val_loss', 'val_acc'],
    artifacts: ['checkpoints/epoch=11-step=264.ckpt', 'hparams.yaml', 'metrics.csv'],
    failure: { class: 'crash', message: /RuntimeError: Trying to create tensor with negative dimension/ },
    isLive: true,
  },
  {
    name: 'scikit-learn',
    parameters: { n_estimators: { values: [5, 20, 0] }, max_depth: { value: 4 } },
    metric: 'roc_auc',
    goal: 'maximize',
    steps: [1],
    metrics: ['roc_auc'],
    artifacts: [],
    failure: { class: 'crash', message: /InvalidParameterError: The 'n_estimators' parameter/ },
    isLive: false,
  },
  {
    name: 'xgboost',
    parameters: { eta: { value: 0.3 }, max_depth: { values: [3, 6, -1] }, rounds: { value: 10 } },
    metric: 'validation_merror',
    goal: 'minimize',
    steps: range(0, 9),
    metrics: ['validation_merror', 'validation_mlogloss'],
    artifacts: ['model.json'],
    failure: { class: 'crash', message: /XGBoostError: .*max_depth/ },
    isLive: false,
  },
  {
    name: 'bash',
    parameters: { damping: { values: [0.2, 1, 'x y'] }, steps: { value: 6 } },
    metric: 'residual',
    goal: 'minimize',
    steps: range(1, 6),
    metrics: ['residual'],
    artifacts: ['steps.txt'],
    failure: { class: 'crash', message: /damping is not a number: x y/ },
    isLive: true,
  },
  {
    name: 'hydra',
    parameters: {
      model: { values: ['linear', 'polynomial', 'cubic'] },
      'optimizer.lr': { value: 0.05 },
      '++optimizer.weight_decay': { value: 0.1 },
      '+tags': { value: '[a,b]' },
    },
    metric: 'val_loss',
    goal: 'minimize',
    steps: range(20, 200, 20),
    metrics: ['val_loss'],
    artifacts: ['config/config.yaml', 'config/hydra.yaml', 'config/overrides.yaml', 'train.log', 'weights.txt'],
    failure: { class: 'crash', message: /Could not find 'model\/cubic'/ },
    isLive: false,
  },
  {
    name: 'wandb',
    parameters: {
      learning_rate: { values: [0.0001, 0.0005, 'high'] },
      momentum: { value: 0.9 },
      epochs: { value: 5 },
      seed: { value: 0 },
    },
    metric: 'val_loss',
    goal: 'minimize',
    steps: range(1, 5),
    metrics: ['val_loss', 'x', 'y', 'distance'],
    artifacts: [],
    failure: { class: 'crash', message: /TypeError: / },
    isLive: false,
  },
];

const skipped = !hasTool('python3');

describe.skipIf(skipped).each(EXAMPLES)('the example $name', (example) => {
  const { name, metric, goal } = example;
  let programs: string | undefined;

  beforeAll(async () => {
    const file = join(exampleFolder(name), 'requirements.txt');
    if (name !== 'bash') programs = await pythonEnvironment(readFileSync(file, 'utf8'));
  }, INSTALL_LIMIT_MS);

  afterEach(() => {
    vi.unstubAllEnvs();
  });

  test('the sweep of an example has ranked trials, curves and files, and shows why a trial failed', {
    timeout: ROUND_LIMIT_MS,
  }, async () => {
    if (programs !== undefined) activate(programs);
    const { parameters } = example;
    const { dir, code, stderr, result } = await sweepExample(name, { parameters, retry: { crash: 0, oom: 0 } });
    const [best, second, failed] = result.trials;
    expect(result, stderr).toMatchObject({ state: 'finished', counts: { succeeded: 2, failed: 1 }, warnings: [] });
    expect(code).toBe(1);
    expect(result.trials.map(({ rank }) => rank)).toEqual([1, 2, null]);
    const values = [best, second].map((trial) => trial?.metrics[metric] ?? Number.NaN);
    expect(values).toEqual([...values].sort((a, b) => (goal === 'minimize' ? a - b : b - a)));

    const shown = await showTrial(dir, best);
    expect(shown.reports.map(({ epoch }) => epoch)).toEqual(example.steps);
    expect(Object.keys(shown.metrics)).toEqual(expect.arrayContaining([...example.metrics]));
    expect(shown.artifacts.map(({ name }) => name)).toEqual(expect.arrayContaining([...example.artifacts]));
    for (const { bytes } of shown.artifacts) expect(bytes).toBeGreaterThan(0);
    if (example.isLive) expect(reportedMs(shown)).toBeGreaterThan(LIVE_MS);

    expect(failed?.failure?.class).toBe(example.failure.class);
    expect(failed?.failure?.message.split('\n')[0]).toMatch(example.failure.message);
  });

  test.runIf(process.env.TRAWL_FRAMEWORKS === 'all')(
    'the whole sweep file of the example runs, and every trial is ranked',
    { timeout: WHOLE_LIMIT_MS },
    async () => {
      if (programs !== undefined) activate(programs);
      const { code, stderr, result } = await sweepExample(name, {});
      expect(code, stderr).toBe(0);
      expect(result.trials.length).toBeGreaterThanOrEqual(3);
      expect(result.counts).toMatchObject({ succeeded: result.trials.length, failed: 0 });
      const values = result.trials.map(({ metrics }) => metrics[metric]);
      // Trials with equal values share a rank.
      expect(result.trials.map(({ rank }) => rank)).toEqual(values.map((value) => values.indexOf(value) + 1));
    },
  );
});
