/**
 * Finds the valid name that the author of a sweep file means by a misspelled name, or by a name of another tool, such
 * as Optuna, Ray Tune or Katib.
 */
import { didYouMean, nearest } from '../../lib/text/did-you-mean.ts';
import { DISTRIBUTION_NAMES, type DistributionName } from '../search/distribution.ts';
import type { Path } from './problems.ts';

type Names = Readonly<Record<string, string>>;

/**
 * Names that other tools use for our keys, grouped by the top-level key that contains them. Names at the top level are
 * under `''`.
 */
const KEYS: Readonly<Record<string, Names>> = {
  '': {
    algorithm: 'method',
    search: 'method',
    search_alg: 'method',
    strategy: 'method',
    tuner: 'method',
    budget: 'run_cap',
    max_runs: 'run_cap',
    max_trials: 'run_cap',
    n_trials: 'run_cap',
    num_samples: 'run_cap',
    num_trials: 'run_cap',
    hyperparameters: 'parameters',
    search_space: 'parameters',
    space: 'parameters',
    objective: 'metric',
    objectives: 'metrics',
    early_stop: 'early_terminate',
    early_stopping: 'early_terminate',
    pruner: 'early_terminate',
    stopper: 'early_terminate',
    max_concurrent: 'concurrency',
    max_concurrent_trials: 'concurrency',
    n_jobs: 'concurrency',
    parallel: 'concurrency',
    n_seeds: 'replicates',
    repeats: 'replicates',
    repetitions: 'replicates',
    random_state: 'seed',
    script: 'program',
    constraints: 'exclude',
    conditions: 'when',
  },
  metric: { mode: 'goal', direction: 'goal', metric: 'name', threshold: 'target' },
  metrics: { mode: 'goal', direction: 'goal', metric: 'name' },
  parameters: {
    choices: 'values',
    options: 'values',
    low: 'min',
    lower: 'min',
    high: 'max',
    upper: 'max',
    type: 'distribution',
    loc: 'mu',
    mean: 'mu',
    scale: 'sigma',
    std: 'sigma',
    stddev: 'sigma',
    quantum: 'q',
    weights: 'probabilities',
    default: 'value',
    log: 'distribution: log_uniform_values',
  },
  early_terminate: {
    grace_period: 'min_iter',
    min_resource: 'min_iter',
    n_warmup_steps: 'min_iter',
    start_step: 'min_iter',
    warmup: 'min_iter',
    warmup_steps: 'min_iter',
    max_resource: 'max_iter',
    max_t: 'max_iter',
    reduction_factor: 'eta',
    brackets: 's',
    min_samples_required: 'min_trials',
    n_min_trials: 'min_trials',
    n_startup_trials: 'min_trials',
    rounds: 'patience',
    name: 'type',
    rule: 'type',
    method: 'type',
  },
  pbt: {
    perturbation_interval: 'interval',
    quantile_fraction: 'quantile',
    factors: 'perturb',
    perturbation_factors: 'perturb',
    resample_probability: 'resample',
    hyperparam_mutations: 'explore',
    mutations: 'explore',
  },
  retry: { delay: 'backoff', wait: 'backoff' },
};

/** Values that other tools use for our values, by the path of the key. */
const VALUES: Readonly<Record<string, Names>> = {
  method: {
    bayesopt: 'tpe',
    gp: 'optuna',
    cmaes: 'optuna',
    cma_es: 'optuna',
    halton: 'sobol',
    qmc: 'sobol',
    quasirandom: 'sobol',
    quasi_random: 'sobol',
    hyperopt: 'tpe',
    pb2: 'pbt',
    population: 'pbt',
    exhaustive: 'grid',
  },
  order: { random: 'shuffled' },
  'early_terminate.type': {
    sha: 'asha',
    successive_halving: 'asha',
    bandit: 'threshold',
    plateau: 'patience',
    no_improvement: 'patience',
    percentile: 'median',
  },
};

/** Returns the key that the author means, in some cases with its value, such as `distribution: log_uniform_values`. */
function synonymOf(path: Path, key: string, known: readonly string[]): string | undefined {
  const names = KEYS[`${path[0] ?? ''}`] ?? {};
  const written = fold(key);
  const meant = Object.hasOwn(names, written) ? names[written] : undefined;
  return known.includes(keyOf(meant)) ? meant : undefined;
}

const keyOf = (meant = ''): string => meant.split(':')[0] ?? '';

/** Returns a hint that suggests a valid key, such as `; write "x"` for a key of another tool. May be empty. */
export function keyHint(path: Path, key: string, known: readonly string[]): string {
  const meant = synonymOf(path, key, known);
  if (meant === undefined || nearest(key, known) === meant) return didYouMean(key, known);
  return keyOf(meant) === meant ? `; write "${meant}"` : `; write ${meant}`;
}

/** Returns the known key that the author probably means by an unknown key. Undefined if no known key is close. */
export function meantKey(path: Path, key: string, known: readonly string[]): string | undefined {
  const meant = synonymOf(path, key, known);
  return meant === undefined ? nearest(key, known) : keyOf(meant);
}

/**
 * Returns the valid value that the author probably means by a text. Undefined if the text suggests no valid value.
 * @param entry the mapping in the sweep file that contains the text
 */
export function meantValue(
  path: Path,
  written: string,
  values: readonly string[],
  entry: unknown = {},
): string | undefined {
  if (path[0] === 'parameters' && path.at(-1) === 'distribution') return meantDistribution(written, entry);
  const names = VALUES[path.join('.')] ?? {};
  const folded = fold(written);
  return Object.hasOwn(names, folded) ? names[folded] : nearest(written, values);
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[-\s]/g, '_');
}

/**
 * Returns the distribution that the author probably means. A parameter with `values` or `value`, but without a range,
 * is categorical or constant. Otherwise, the written name determines the family, such as normal or uniform. The
 * variant, such as `q_uniform` or `log_uniform_values`, can also depend on the keys and the range of the parameter.
 */
export function meantDistribution(written: string, entry: unknown): DistributionName | undefined {
  const { values, value, probabilities, min, max, q } = (entry ?? {}) as Record<string, unknown>;
  const name = fold(written).replaceAll(/[^a-z]/g, '');
  const hasRange = min !== undefined || max !== undefined;
  if (values !== undefined && !hasRange)
    return probabilities === undefined ? 'categorical' : 'categorical_w_probabilities';
  if (value !== undefined && !hasRange) return 'constant';
  const isRounded = q !== undefined || /^q|discret|quant|step/.test(name);
  const isWhole = /int|whole/.test(name.replaceAll('point', ''));
  if (/beta/.test(name)) return isRounded ? 'q_beta' : 'beta';
  if (/norm|gauss/.test(name)) {
    const kind = name.includes('log') ? 'log_normal' : 'normal';
    return isRounded || isWhole ? `q_${kind}` : kind;
  }
  if (/log|inv|recip/.test(name)) return logDistribution(name, isRounded || isWhole, entry);
  if (isWhole && !isRounded && hasWholeEnds(min, max)) return 'int_uniform';
  if (/unif|float|double|real|rand|range|linear|contin|int|whole/.test(name) || /^q/.test(name))
    return isRounded || (isWhole && !hasWholeEnds(min, max)) ? 'q_uniform' : 'uniform';
  if (isRounded && hasRange) return 'q_uniform';
  return nearest(written, DISTRIBUTION_NAMES) as DistributionName | undefined;
}

function hasWholeEnds(min: unknown, max: unknown): boolean {
  return [min, max].every((limit) => limit === undefined || Number.isInteger(limit));
}

/**
 * Returns a log-uniform distribution or one of its variants. If `min` and `max` are above 0, they are taken as limits
 * of the values. Otherwise, they must be limits of the exponents, because the values are positive.
 */
function logDistribution(name: string, isRounded: boolean, entry: unknown): DistributionName {
  const { min, max } = (entry ?? {}) as Record<string, unknown>;
  const areValues = [min, max].every((limit) => limit === undefined || (typeof limit === 'number' && limit > 0));
  if (/inv|recip/.test(name)) return areValues ? 'inv_log_uniform_values' : 'inv_log_uniform';
  if (isRounded) return areValues ? 'q_log_uniform_values' : 'q_log_uniform';
  return areValues ? 'log_uniform_values' : 'log_uniform';
}
