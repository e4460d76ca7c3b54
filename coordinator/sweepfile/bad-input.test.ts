// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/** Tests the message and the position of each error in a sweep file. */
import { expect, test } from 'vitest';
import { parseSweep } from './parse.ts';
import { MAX_PROBLEMS, MAX_SWEEP_FILE_BYTES, SweepFileError } from './problems.ts';

function errorOf(text: string): string {
  try {
    parseSweep(text, 'x.yaml');
  } catch (error) {
    if (error instanceof SweepFileError) return error.message;
    throw error;
  }
  return 'accepted';
}

const command: [string, string][] = [
  [
    'trainer: command',
    '1:10: trainer command requires a command or a program; write command: [python3, train.py, "${args}"]',
  ],
  ['command: [t, "${arg}"]', '1:14: unknown macro "${arg}"; did you mean "${args}"?'],
  [
    'command: [t, "${HOME}"]',
    '1:14: unknown macro "${HOME}"; expected env, interpreter, program, args, args_no_hyphens, ' +
      'args_no_equals, args_append_hydra, args_override_hydra, args_no_boolean_flags, args_json, args_json_file, seed, trial, ' +
      'artifacts, param:NAME or envvar:NAME, or $${ for a literal ${',
  ],
  ['command: [t, "x${args}"]', '1:14: ${args} expands to several arguments; write it as a separate item'],
  [
    'command: ["${args}"]',
    '1:11: ${args} cannot be the first item; a command starts with a program, such as command: [python3, train.py, "${args}"]',
  ],
  ['command: [t, "${program}"]', '1:14: ${program} requires the key program, such as program: train.py'],
  [
    'command: []',
    '1:10: command: expected a program and its arguments, such as [python3, train.py, "${args}"], got an empty list',
  ],
  [`command: python3 "train.py`, `1:10: command: the quote is not closed in "python3 \\"train.py"`],
  [
    'command: ""',
    '1:10: command: expected a program and its arguments, such as [python3, train.py, "${args}"], got ""',
  ],
  ['command: python3 x${args}', '1:10: ${args} expands to several arguments; write it as a separate item'],
  [
    'command: 3',
    '1:10: command: expected a list of a program and its arguments, such as [python3, train.py, "${args}"], got 3',
  ],
  ['command: [t, "${param:lrr}"]', '1:14: unknown parameter in "${param:lrr}"; declared: none'],
  [
    'env: {1A: x}\ncommand: [t]',
    '1:7: invalid variable name "1A"; expected letters, digits and "_", not starting with a digit',
  ],
  ['env: {A: [1]}\ncommand: [t]', '1:10: A: expected text, a number, true or false, got a list'],
  [
    'report: xml\ncommand: [t]',
    '1:9: report: expected json, python, {regex: PATTERN}, {tfevents: FOLDER}, {csv: FILE}, {hook: [wandb, mlflow, ' +
      'tensorboard]}, or a list of them, got "xml"',
  ],
  [
    'report: {regex: "loss=(.*)"}\ncommand: [t]',
    '1:17: regex: "loss=(.*)" has no named groups; name each metric, such as loss=(?<loss>\\S+)',
  ],
  [
    'report: {regex: "(?P<loss>.*)"}\ncommand: [t]',
    '1:17: invalid regular expression "(?P<loss>.*)": /(?P<loss>.*)/u: Invalid group; write (?<name>...) for a named group',
  ],
  [
    'classify: [{pattern: "(", class: oom}]\ncommand: [t]',
    '1:22: invalid regular expression "(": /(/u: Unterminated group',
  ],
  [
    'classify: [{pattern: x, class: lost}]\ncommand: [t]',
    '1:32: class: expected oom or nan or crash or preflight or rejected, got "lost"',
  ],
  ['wandb: on\ncommand: [t]', '1:8: wandb: expected offline or online or off, got "on"'],
  [
    'code: ""\ncommand: [t]',
    '1:7: code: expected a folder such as ".", or a mapping such as {dir: ., exclude: [data/]}, got ""',
  ],
  [
    'code: 5\ncommand: [t]',
    '1:7: code: expected a folder such as ".", or a mapping such as {dir: ., exclude: [data/]}, got 5',
  ],
  ['code: {dri: .}\ncommand: [t]', '1:8: unknown key "dri"; did you mean "dir"?'],
  ['code: {limit: 5}\ncommand: [t]', '1:15: limit: expected a size such as 8GiB or 512MiB, got 5'],
  ['code: {limit: 2GiB}\ncommand: [t]', '1:15: limit: expected at most 1 GiB, got "2GiB"'],
  ['first_report: 5\ncommand: [t]', '1:15: first_report: expected a duration such as 90s, 2h or 1d, up to 24d, got 5'],
  ['command: [t, 3]', '1:14: expected text, got 3; put quotes around it'],
  ['command: [""]', '1:10: command: expected a program as the first item, got a list'],
  ['program: [t]', '1:10: program: expected a path, got a list'],
  ['program: "$t"', '1:10: program: expected a path without $ or NUL, got "$t"'],
];

const HEAD = 'trainer: autoencoder\nparameters:\n  depth: {values: [3, 5]}\n';
const OPEN = 'trainer: noop\nparameters:\n  depth: {values: [3, 5]}\n';

const keys: [string, string][] = [
  ['excludes: []', '4:1: unknown key "excludes"; did you mean "exclude"?'],
  ['retry: {crashes: 2}', '4:9: unknown key "crashes"; did you mean "crash"?'],
  ['retry: {zzz: 2}', '4:9: unknown key "zzz"; expected oom, crash, timeout, backoff'],
  ['trainer: noop', '4:1: duplicate key "trainer"'],
  ['  depth: {value: 3}', '4:3: duplicate key "depth"'],
  ['  latent_dim: {value: 3, value: 4}', '4:26: duplicate key "value"'],
  ['3: 4', '4:1: a key must be text; put quotes around it'],
  ['? [a]\n: 4', '4:3: a key must be text; put quotes around it'],
  ['__proto__: 4', '4:1: invalid key "__proto__"'],
];

const resources: [string, string][] = [
  ['resources: {gpus: 1}', '4:13: unknown key "gpus"; did you mean "gpu"?'],
  ['resources: {gpu: 2}', '4:18: gpu: trainer autoencoder uses one GPU, got 2; only trainer command can use more'],
  ['resources: {gpu: true}', '4:18: gpu: expected a number of GPUs from 1 to 64, or false, got true'],
  ['resources: {gpu: 0}', '4:18: gpu: expected a number of GPUs from 1 to 64, or false, got 0'],
  ['resources: {vram: 8}', '4:19: vram: expected a size such as 8GiB or 512MiB, got 8'],
  ['resources: {vram: 8 gigs}', '4:19: vram: expected a size such as 8GiB or 512MiB, got "8 gigs"'],
  [
    'resources: {gpu: false, vram: 8GiB}',
    '4:25: vram requires a GPU, but gpu: false excludes GPUs; remove one of them',
  ],
  ['resources: {labels: {zone: 1}}', '4:28: zone: expected text, got 1; put quotes around it'],
  [
    'resources: {labels: {-zone: a}}',
    '4:22: invalid label name "-zone"; expected a letter or digit, then letters, digits, "_", ".", "/" or "-", up to 100 characters in total',
  ],
  [
    'resources: [gpu]',
    '4:12: resources: expected a mapping, such as {gpu: 1, vram: 8GiB, labels: {zone: a}}, got a list',
  ],
];

const order: [string, string][] = [
  ['priority: high', '4:11: priority: expected a whole number from -1000 to 1000, got "high"'],
  ['priority: 1001', '4:11: priority: expected a whole number from -1000 to 1000, got 1001'],
  ['priorty: 1', '4:1: unknown key "priorty"; did you mean "priority"?'],
  ['weight: 0', '4:9: weight: expected a number from 0.001 to 1000, got 0'],
];

const unsupported: [string, string][] = [
  ['early_stop: {type: asha}', '4:1: unknown key "early_stop"; write "early_terminate"'],
  ['optuna: {}', '4:1: optuna applies to method optuna only; the method is grid'],
  [
    'method: optuna\noptuna: {sampler: CmaESampler}',
    '5:19: sampler: expected TPESampler, CmaEsSampler, GPSampler, NSGAIISampler, NSGAIIISampler, QMCSampler, ' +
      'BruteForceSampler, RandomSampler or module:Class, got "CmaESampler"; did you mean "CmaEsSampler"?',
  ],
  [
    'method: optuna\noptuna: {sampler: GridSampler}',
    '5:19: sampler: GridSampler is not supported; write method: grid, or sampler: BruteForceSampler',
  ],
  [
    'method: optuna\noptuna: {options: {seed: 3}}',
    '5:20: seed is not an option: the key seed at the top of the file sets the seed',
  ],
  ['method: optuna\noptuna: {sampelr: TPESampler}', '5:10: unknown key "sampelr"; did you mean "sampler"?'],
  [
    'method: optuna\noptuna: TPESampler',
    '5:9: optuna: expected a mapping, such as {sampler: TPESampler, options: {multivariate: true}}, got "TPESampler"',
  ],
];

const search: [string, string][] = [
  [
    '  lambda_l1: {distribution: log_uniform_values, min: 0.1, max: 1}',
    '4:29: lambda_l1: method grid cannot enumerate log_uniform_values; list the values; or give min, max and step; ' +
      'or use int_uniform or q_uniform; or write method: random',
  ],
  [
    '  lambda_l1: {distribution: log_unifrom_values, min: 0.1, max: 1}',
    '4:29: distribution: expected constant or categorical or categorical_w_probabilities or int_uniform or uniform or ' +
      'q_uniform or log_uniform or log_uniform_values or q_log_uniform or q_log_uniform_values or inv_log_uniform or ' +
      'inv_log_uniform_values or normal or q_normal or log_normal or q_log_normal or beta or q_beta, got ' +
      '"log_unifrom_values"; did you mean "log_uniform_values"?',
  ],
  [
    '  lambda_l1: {values: [0, 1], probabilities: [0.5, 0.5]}',
    '4:31: lambda_l1: method grid takes every value once; remove probabilities, or write method: random',
  ],
  [
    '  lambda_l1: {min: 0, max: 1, step: 0.5, q: 0.5}',
    '4:42: lambda_l1: q requires a distribution, such as distribution: q_uniform',
  ],
  [
    '  lambda_l1: {distribution: q_uniform, min: 1, max: 1, q: 1}',
    '4:3: lambda_l1: min (1) must be less than max (1), because max is excluded',
  ],
  [
    '  lambda_l1: {distribution: int_uniform, min: 1, max: 2.5}',
    '4:3: lambda_l1: min (1) and max (2.5) must be whole numbers',
  ],
  ['  lambda_l1: {distribution: categorical, value: 1}', '4:3: lambda_l1: distribution categorical needs "values"'],
  ['run_cap: 0', '4:10: run_cap: expected a whole number from 1 to 9007199254740991, got 0'],
  [
    'early_terminate: {type: hyperband}',
    '4:18: early_terminate: missing key "min_iter": write {type: hyperband, min_iter: 3}, or give both max_iter and s',
  ],
  [
    'early_terminate: {type: hyperband, s: 2}',
    '4:18: early_terminate: missing key "min_iter": write {type: hyperband, min_iter: 3}, or give both max_iter and s',
  ],
  [
    'early_terminate: {type: hyperbnad, min_iter: 3}',
    '4:25: type: expected hyperband or asha or median or patience or threshold or envelope, got "hyperbnad"; did you mean "hyperband"?',
  ],
  [
    'early_terminate: {type: asha, patience: 3}',
    '4:31: patience does not apply to type asha; its keys are variant, min_iter, max_iter, eta',
  ],
  [
    'early_terminate: {type: asha, variant: promotion}\ncheckpoint_every: 0',
    '4:40: variant promotion resumes trials from checkpoints, but checkpoint_every is 0; expected 1 or more',
  ],
  [
    'early_terminate: {type: median, variant: promotion}',
    '4:33: variant does not apply to type median; its keys are min_iter, min_trials',
  ],
  [
    'early_terminate: {type: asha, min_iter: 3, max_iter: 3}',
    '4:54: max_iter: expected a step above 3 (min_iter), got 3',
  ],
  [
    'early_terminate: {type: hyperband, max_iter: 2, s: 1}',
    '4:46: max_iter: expected at least 3 (eta), so that trials are compared; got 2',
  ],
  [
    'early_terminate: {type: median, min_trials: 0}',
    '4:45: min_trials: expected a whole number from 1 to 1000000, got 0',
  ],
  [
    'early_terminate: {type: patience}',
    '4:18: early_terminate: missing key "patience": write {type: patience, patience: 5}',
  ],
  [
    'early_terminate: {type: patience, patience: 2, min_delta: -1}',
    '4:59: min_delta: expected a number of at least 0, got -1',
  ],
  [
    'early_terminate: {type: threshold}',
    '4:18: early_terminate: missing key "worse_than": write {type: threshold, worse_than: 0.5}',
  ],
  ['early_terminate: {type: hyperband, min_iter: 3, eta: 1}', '4:54: eta: expected a number of at least 1.01, got 1'],
  ['early_terminate: {type: hyperband, min_itr: 3}', '4:36: unknown key "min_itr"; did you mean "min_iter"?'],
  ['env: {A: 1}', '4:1: env applies to trainer command only; the trainer is autoencoder'],
  ['metric: {name: psnr, imputed: 3}', '4:22: unknown key "imputed"; did you mean "impute"?'],
];

const types: [string, string][] = [
  ['name: 3', '4:7: name: expected text, got 3; put quotes around it'],
  ['name: ""', '4:7: name: expected text, not empty, got ""'],
  ['name: "a\\nb"', '4:7: name: expected text on one line, got "a\\nb"'],
  [
    'metrics: [{name: psnr}]',
    '4:10: metrics: expected at least two metrics in the list (for a single metric, write "metric"), got 1',
  ],
  ['metrics: [{name: psnr}, {name: psnr}]', '4:32: name: "psnr" is listed twice, first at 4:18'],
  [
    'metrics: [{name: psnr}, {name: test_los}]',
    '4:32: trainer autoencoder has no metric "test_los"; did you mean "test_loss"?',
  ],
  ['metrics: [{name: psnr}, {name: test_loss, at: best}]', '4:43: unknown key "at"; expected name, goal'],
  [
    'metric: {name: psnr}\nmetrics: [{name: psnr}, {name: test_loss}]',
    '5:1: "metric" and "metrics" exclude each other; remove one of them',
  ],
  ['warm_start: [1]', '4:1: warm_start: method grid uses no earlier results; write method: tpe or optuna'],
  ['warm_start: []', '4:13: warm_start: expected at least one value in the list, got an empty list'],
  ['warm_start: [true]', '4:14: expected the id or the name of a sweep, got true'],
  ['warm_start: [0]', '4:14: expected the id or the name of a sweep, got 0'],
  [
    'method: gird',
    '4:9: method: expected grid or random or bayes or tpe or sobol or optuna or pbt, got "gird"; did you mean "grid"?',
  ],
  ['metric: psnr', '4:9: metric: expected a mapping, such as {name: test_loss, goal: minimize}, got "psnr"'],
  ['metric: {goal: minimize}', '4:1: missing key "name"; write metric: {name: test_loss, goal: minimize}'],
  ['metric: {name: pnsr}', '4:16: trainer autoencoder has no metric "pnsr"; did you mean "psnr"?'],
  ['metric: {name: psnr, goal: max}', '4:28: goal: expected minimize or maximize, got "max"; did you mean "maximize"?'],
  ['concurrency: 0', '4:14: concurrency: expected a whole number from 1 to 100000, got 0'],
  ['concurrency: many', '4:14: concurrency: expected a whole number from 1 to 100000, got "many"'],
  ['timeout: 90', '4:10: timeout: expected a duration such as 90s, 2h or 1d, up to 24d, got 90'],
  ['timeout: 300d', '4:10: timeout: expected a duration such as 90s, 2h or 1d, up to 24d, got "300d"'],
  ['retry: {backoff: soon}', '4:18: backoff: expected a duration such as 90s, 2h or 1d, up to 24d, got "soon"'],
  ['retry: {oom: -1}', '4:14: oom: expected a whole number from 0 to 100, got -1'],
  ['max_failed: 110%', '4:13: max_failed: expected a count such as 10, or a percentage such as "10%", got "110%"'],
  ['max_failed: -1', '4:13: max_failed: expected a count such as 10, or a percentage such as "10%", got -1'],
  ['replicates: 0', '4:13: replicates: expected a whole number from 1 to 10000, got 0'],
  ['replicates: 2\nseeds: [1]', '4:1: "replicates" and "seeds" exclude each other; remove one of them'],
  ['seeds: []', '4:8: seeds: expected at least one value in the list, got an empty list'],
  ['seeds: [1, 2, 1]', '4:15: seeds: 1 is listed twice, first at 4:9'],
  ['seeds: [-1]', '4:9: expected a whole number from 0 to 4294967295, got -1'],
  ['order: shuffled', '4:8: order: shuffled requires a seed, such as seed: 1'],
  [
    'seed: 3',
    '4:1: seed applies to order: shuffled and methods random, tpe, optuna and pbt only; for the seeds of the trials write seeds: [0, 1, 2]',
  ],
];

const axes: [string, string][] = [
  ['  latent_dim: {values: []}', '4:24: values: expected at least one value in the list, got an empty list'],
  ['  latent_dim: {values: 3}', '4:24: values: expected a list of values, got 3'],
  ['  latent_dim: {value: [3]}', '4:23: latent_dim: expected a whole number from 1 to 784, got [3]'],
  ['  latent_dim: {value: null}', '4:23: latent_dim: expected a whole number from 1 to 784, got null'],
  ['  latent_dim: 3', '4:15: latent_dim: expected a mapping, such as {value: 3} or {values: [3, 5]}, got 3'],
  ['  latent_dim:', '4:14: latent_dim: expected a mapping, such as {value: 3} or {values: [3, 5]}, got nothing'],
  ['  latent_dim: {}', '4:3: latent_dim: expected "value", "values", or "min", "max" and "step"; got nothing'],
  [
    '  latent_dim: {value: 1, values: [1]}',
    '4:3: latent_dim: expected "value", "values", or "min", "max" and "step"; got "value" and "values"',
  ],
  [
    '  lambda_l1: {min: 0, max: 0.5}',
    '4:3: lambda_l1: missing "step", got "min" and "max"; add "step", or list the values',
  ],
  [
    '  lambda_l1: {min: 1.0, max: 3}',
    '4:3: lambda_l1: missing "step", got "min" and "max"; add "step", or list the values',
  ],
  ['  latent_dim: {min: 1, step: 3}', '4:3: latent_dim: missing "max", got "min" and "step"'],
  ['  latent_dim: {min: 3, max: 1, step: 1}', '4:3: latent_dim: max (1) is less than min (3)'],
  [
    '  latent_dim: {min: 1, max: 3, step: 0.5}',
    '4:3: latent_dim: expected a whole number from 1 to 784, got 1.5 (from min, max and step)',
  ],
  [
    '  latent_dim: {min: 700, max: 900, step: 1}',
    '4:3: latent_dim: expected a whole number from 1 to 784, got 900 (from min, max and step)',
  ],
  ['  lambda_l1: {values: [1e-5, 0, 0.00001]}', '4:33: lambda_l1: 0.00001 is listed twice, first at 4:24'],
  ['  lambda_l1: {values: [0, -0]}', '4:27: lambda_l1: 0 is listed twice, first at 4:24'],
  ['  lambda_l1: {value: .nan}', '4:22: ".nan" is not a finite number'],
  ['  lambda_l1: {value: -.inf}', '4:22: "-.inf" is not a finite number'],
  ['  lambda_l1: {value: 1e999}', '4:22: "1e999" is not a finite number'],
  [
    '  lambda_l1: {value: 9007199254740993}',
    '4:22: "9007199254740993" has too many digits for a number; put quotes around it to make it text',
  ],
];

const trainer: [string, string][] = [
  ['  latent-dim: {value: 3}', '4:3: trainer autoencoder has no parameter "latent-dim"; did you mean "latent_dim"?'],
  ['  latent_dim: {value: 0}', '4:23: latent_dim: expected a whole number from 1 to 784, got 0'],
  ['  latent_dim: {value: 3.5}', '4:23: latent_dim: expected a whole number from 1 to 784, got 3.5'],
  ['  latent_dim: {value: "3"}', '4:23: latent_dim: expected a whole number from 1 to 784, got "3"; remove the quotes'],
  ['  noise_std: {value: none}', '4:22: noise_std: expected a number from 0 to 10, got "none"'],
  [
    '  dataset: {values: [mnist, fasion-mnist]}',
    '4:29: dataset: expected mnist or fashion-mnist, got "fasion-mnist"; did you mean "fashion-mnist"?',
  ],
  ['  l1_in_gradient: {value: yes}', '4:27: l1_in_gradient: expected true or false, got "yes"'],
  ['  seed: {value: -1}', '4:17: seed: expected a whole number from 0 to 4294967295, got -1'],
  ['  seed: {values: [1, 1.5]}', '4:22: seed: expected a whole number from 0 to 4294967295, got 1.5'],
  ['  seed: {values: [1, a]}', '4:22: seed: expected a whole number from 0 to 4294967295, got "a"'],
  ['  seed: {values: [1, 1]}', '4:22: seed: 1 is listed twice, first at 4:19'],
  ['  seed: {value: 1}\nseeds: [1]', '5:1: "seeds" and the parameter "seed" exclude each other; remove one of them'],
  [
    '  seed: {value: 1}\nreplicates: 2',
    '5:1: "replicates" and the parameter "seed" exclude each other; remove one of them',
  ],
  [
    '  seed: {values: [1, 2]}\nexclude: [{seed: 1}]',
    '5:12: "seed" gives the replicates of each config; "exclude", "when", "zip" and "hypotheses" cannot name it',
  ],
  [
    'when: [{if: {depth: 5}, set: {seed: 1}}]',
    '4:31: "seed" is not a parameter that rules can set; each seed is a trial of its own',
  ],
  ...['"a=b"', '" a"', '"a "', '"a\\tb"', '""', 'a\u0085b', 'x'.repeat(257)].map((name): [string, string] => {
    const shown = JSON.stringify(
      name.startsWith('"') ? JSON.parse(name) : name.length > 60 ? `${name.slice(0, 60)}…` : name,
    );
    const rule = 'expected 1 to 256 characters on one line, without = and without spaces at the ends';
    return [`  ${name}: {value: 3}`, `4:3: invalid parameter name ${shown}; ${rule}`];
  }),
  ['  m: {parameters: {a: {vlaue: 3}}}', '4:24: unknown key "vlaue"; did you mean "value"?'],
  [
    '  latent_dim: {file: dims.txt}',
    '4:16: latent_dim: "file" is read by the command line; submit the sweep with trawl submit or trawl up',
  ],
  [
    '  latent_dim: {file: dims.txt, value: 3}',
    '4:16: latent_dim: "file" cannot be combined with "value"; remove one of them',
  ],
];

const rules: [string, string][] = [
  ['exclude: [{depht: 5}]', '4:12: "depht" is not declared under parameters; did you mean "depth"?'],
  ['exclude: [{zzz: 5}]', '4:12: "zzz" is not declared under parameters; declared: depth'],
  ['exclude: [{epochs: 5}]', '4:12: "epochs" is not declared under parameters; add it, such as epochs: {value: 10}'],
  ['exclude: [{depth: 4}]', '4:19: depth: expected 3 or 5, got 4'],
  ['exclude: [{depth: [3, "5"]}]', '4:23: depth: expected 3 or 5, got "5"; remove the quotes'],
  ['exclude: [{}]', '4:11: no conditions: the rule would match every point'],
  ['exclude: [{depth: []}]', '4:19: depth: expected at least one value in the list, got an empty list'],
  ['exclude: {depth: 5}', '4:10: exclude: expected a list of rules, got a mapping'],
  [
    'when: [{if: {dpeth: 5}, set: {epochs: 3}}]',
    '4:14: "dpeth" is not declared under parameters; did you mean "depth"?',
  ],
  [
    'when: [{if: {depth: 5}, set: {epoch: 3}}]',
    '4:31: trainer autoencoder has no parameter "epoch"; did you mean "epochs"?',
  ],
  ['when: [{if: {depth: 5}, set: {epochs: 0}}]', '4:39: epochs: expected a whole number from 1 to 100000, got 0'],
  [
    'when: [{if: {depth: 5}, set: {epochs: [1, 2]}}]',
    '4:39: epochs: expected a whole number from 1 to 100000, got [1,2]',
  ],
  ['when: [{if: {depth: 5}, set: {}}]', '4:30: set: expected at least one parameter'],
  ['when: [{if: {depth: 5}}]', '4:8: missing key "set"'],
  ['when: [{if: {}, set: {epochs: 3}}]', '4:13: no conditions: the rule would match every point'],
  [
    'when: [{if: {depth: 5}, then: {epochs: 3}}]',
    '4:8: missing key "set"\nx.yaml:4:25: unknown key "then"; expected if, set',
  ],
  [
    'zip: [[depth, latent_dim]]',
    '4:15: "latent_dim" is not declared under parameters; add it, such as latent_dim: {value: 30}',
  ],
  [
    '  latent_dim: {values: [1, 2, 3]}\nzip: [[depth, latent_dim]]',
    '5:7: zip: the parameters of a group must have equal numbers of values; depth has 2, latent_dim has 3',
  ],
  ['zip: [[depth]]', '4:7: zip: expected at least two names per group'],
  ['zip: [[depth, depth]]', '4:15: "depth" is zipped twice'],
  [
    '  latent_dim: {values: [1, 1]}\n  epochs: {values: [2, 2]}\nzip: [[latent_dim, epochs]]',
    '4:28: latent_dim=1, epochs=2 is listed twice, first at 4:25',
  ],
  [
    '  latent_dim: {values: [1, 1]}\n  epochs: {value: 2}\nzip: [[latent_dim, epochs]]',
    '4:28: latent_dim=1 is listed twice, first at 4:25',
  ],
];

const open: [string, string][] = [
  [
    '  m: {parameters: {a: {value: 3}}, value: 3}',
    '4:3: m: "parameters" cannot be combined with "value"; remove one of them',
  ],
  ['exclude: [{depth: "5"}]', '4:19: depth: "5" never matches a number such as 3'],
  [
    'when: [{if: {depth: 5}, set: {dept: 3}}]',
    '4:31: "dept" is neither declared under parameters nor a parameter of trainer noop; did you mean "depth"?',
  ],
  ['  epochs: {value: 0}', '4:19: epochs: expected a whole number from 1 to 100000, got 0'],
];

const yaml: [string, string][] = [
  ['', '1:1: the file is empty'],
  ['# only a comment\n', '1:1: the file is empty'],
  ['[]', '1:1: expected a mapping of keys, such as name, trainer and parameters, got a list'],
  ['parameters: {}', '1:1: missing key "trainer"; write trainer: autoencoder, or the command of a program of your own'],
  ['trainer: noop', '1:1: missing key "parameters"; write parameters: {latent_dim: {values: [15, 30]}}'],
  [
    'trainer: autoencodr\nparameters: {}',
    '1:10: trainer: expected autoencoder or noop or command, got "autoencodr"; did you mean "autoencoder"?',
  ],
  ['a: "x', '1:6: not valid YAML: Missing closing "quote'],
  [
    'report: {regex: "loss=(?P<loss>\\d)"}',
    '1:32: not valid YAML: Invalid escape sequence \\d; use single quotes to keep backslashes as they are',
  ],
  ['a: 1\n\tb: 2', '2:1: not valid YAML: Tabs are not allowed as indentation'],
  ['a: 1\n---\nb: 2', '2:1: second YAML document: a file can contain only one sweep'],
  [
    '%YAML 1.1\n---\na: yes',
    '1:1: YAML directives are not supported; remove the line (YAML 1.1 reads yes, no and 010 differently)',
  ],
  ['a: !!python/object:os.system x', '1:4: not valid YAML: Unresolved tag: tag:yaml.org,2002:python/object:os.system'],
  ['a: *b', '1:4: no anchor &b before this alias'],
  ['a: &a [*a]', '1:8: nested more than 64 levels deep through aliases'],
  [`a: ${'['.repeat(1_000)}`, '1:69: nested more than 64 levels deep'],
  [`a: [${'1,'.repeat(100_000)}`, '1:33334: more than 50000 YAML tokens; write long lists as "min", "max" and "step"'],
  ['a: b\0', '1:5: NUL character: is this a text file?'],
  ['a: 1\n\0', '2:1: NUL character: is this a text file?'],
];

test.each([...keys, ...unsupported, ...search, ...resources, ...order, ...types, ...axes, ...trainer, ...rules])(
  'in a sweep file with a built-in trainer, the line %s is rejected',
  (line, message) => {
    expect(errorOf(HEAD + line)).toBe(`x.yaml:${message}`);
  },
);

test.each(open)('with a trainer that accepts any parameter, the line %s is rejected', (line, message) => {
  expect(errorOf(OPEN + line)).toBe(`x.yaml:${message}`);
});

test.each(command)("in a sweep file with a user's program, the line %s is rejected", (line, message) => {
  expect(errorOf(`${line}\nmetric: {name: loss}\nparameters: {}\n`)).toBe(`x.yaml:${message}`);
});

test('the keys "program" and "command" require trainer "command"; a command without an args macro requires a metric', () => {
  expect(errorOf(`${HEAD}program: train.py`)).toBe(
    'x.yaml:4:1: program applies to trainer command only; the trainer is autoencoder',
  );
  expect(errorOf(`${HEAD}command: [t]`)).toBe(
    'x.yaml:4:1: command applies to trainer command only; the trainer is autoencoder',
  );
  expect(errorOf('parameters: {}\ncommand: [t]')).toBe(
    'x.yaml:1:1: missing key "metric": trainer command has no default metric; write metric: {name: test_loss, goal: minimize}',
  );
});

test.each(yaml.map(([text, message]): [string, string, string] => [JSON.stringify(text).slice(0, 60), text, message]))(
  'the sweep file %s is rejected',
  (_, text, message) => {
    expect(errorOf(text)).toBe(`x.yaml:${message}`);
  },
);

test('deeply nested aliases are rejected before their expansion exhausts the memory', () => {
  const levels = [...'bcdefghi'].map((name, index) => {
    const below = `*${'abcdefgh'[index]}`;
    return `${name}: &${name} [${Array.from({ length: 9 }, () => below).join(', ')}]`;
  });
  const bomb = ['a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]', ...levels].join('\n');
  expect(errorOf(bomb)).toMatch(/^x\.yaml:\d+:\d+: more than 50000 values after alias expansion$/);
});

test('a list of too many values is rejected', () => {
  const values = Array.from({ length: 10_001 }, (_, value) => value).join(',');
  expect(errorOf(`trainer: noop\nparameters: {a: {values: [${values}]}}`)).toBe(
    'x.yaml:2:26: values: expected at most 10000 entries in the list, got 10001',
  );
});

test('adaptive replicates cannot be combined with early stopping', () => {
  const file = 'trainer: autoencoder\nparameters: {latent_dim: {values: [2, 4]}}\n';
  expect(errorOf(`${file}replicates: {min: 3, max: 5, until: decided}\nearly_terminate: {type: asha}\n`)).toBe(
    'x.yaml:3:1: replicates: until: decided cannot be combined with early_terminate, because the values of stopped trials belong to earlier epochs',
  );
});

test('too many parameters, and a text that is too long, are rejected', () => {
  const many = Array.from({ length: 101 }, (_, index) => `p${index}: {value: 1}`).join(', ');
  expect(errorOf(`trainer: noop\nparameters: {${many}}`)).toBe(
    'x.yaml:2:13: parameters: expected at most 100 parameters, got 101',
  );
  const long = 'x'.repeat(1_001);
  expect(errorOf(`trainer: noop\nparameters: {a: {value: ${long}}}`)).toBe(
    `x.yaml:2:25: value: expected at most 1000 characters, got "${'x'.repeat(60)}…"`,
  );
});

test('a sweep file beyond the size limit is rejected', () => {
  expect(errorOf(`# ${'x'.repeat(MAX_SWEEP_FILE_BYTES)}`)).toMatch(/^x\.yaml:1:1: the file has 1,048,578 bytes/);
});

test('all problems of a sweep file are reported together, in the order of the file', () => {
  const text = `
trainer: autoencoder
exclud: []
parameters:
  depht: {values: [3, 5]}
  latent_dim: {valeus: [15]}
  epochs: {value: 0}
exclude: [{latent_dim: 15, epochs: 3, deph: 3}]
`;
  expect(errorOf(text).split('\n')).toEqual([
    'x.yaml:3:1: unknown key "exclud"; did you mean "exclude"?',
    'x.yaml:5:3: trainer autoencoder has no parameter "depht"; did you mean "depth"?',
    'x.yaml:6:16: unknown key "valeus"; did you mean "values"?',
    'x.yaml:7:19: epochs: expected a whole number from 1 to 100000, got 0',
    'x.yaml:8:39: "deph" is not declared under parameters; did you mean "depht"?',
  ]);
});

test('only the first problems of a sweep file are listed, and further problems are counted', () => {
  const text = Array.from({ length: 100 }, (_, key) => `key${key}: 1`).join('\n');
  const lines = errorOf(`trainer: noop\nparameters: {}\n${text}`).split('\n');
  expect(lines).toHaveLength(MAX_PROBLEMS + 1);
  expect(lines.at(-1)).toBe('x.yaml: and 80 more problems');
});

test('problems in a JSON file are also reported with line and column', () => {
  expect(errorOf('{\n\t"trainer": "noop",\n\t"parameters": {"a": {"value": 1}},\n\t"ordr": "grid"\n}\n')).toBe(
    'x.yaml:4:2: unknown key "ordr"; did you mean "order"?',
  );
});
