/** Validates the settings of `method: pbt` and fills in the defaults. */
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { quote } from '../../lib/text/quote.ts';
import { canChangeOnResume, TRAINERS, type TrainerSpec } from '../../proto/trainers.ts';
import { quantileCount } from '../early-stop/population.ts';
import type { ExploredDistribution, PopulationSettings } from '../early-stop/settings.ts';
import type { Distribution } from '../search/distribution.ts';
import { DEFAULT_CHECKPOINT_EVERY, DEFAULT_POPULATION, DEFAULT_SEED } from './defaults.ts';
import { type Findings, has } from './problems.ts';
import type { SweepFile } from './schema.ts';
import { namesMetric } from './trainer-rules.ts';

/** Keys that cannot be used with method pbt, each with the reason. */
const EXCLUDED_KEYS = {
  early_terminate: 'the population replaces its worst members itself',
  replicates: 'every trial has its own seed',
  seeds: 'every trial has its own seed',
  metrics: 'members are compared by a single metric; write "metric" instead',
  exclude: 'the points of children cannot be excluded',
  when: 'the parameters of children cannot be set by rules',
  zip: 'the value of each parameter is chosen on its own',
} as const satisfies Partial<Record<keyof SweepFile, string>>;

/**
 * Returns the settings, or undefined if the method is not pbt or if the file has no valid `pbt` or `population`.
 * @param metric the name of the sweep's metric. Empty if the file names no metric and the trainer has no default
 * @param last the last epoch of the longest trial. Undefined if it is not known
 */
export function populationOf(
  file: SweepFile,
  space: ReadonlyMap<string, Distribution>,
  { metric, last }: { readonly metric: string; readonly last: number | undefined },
  findings: Findings,
): PopulationSettings | undefined {
  const { method, population, pbt, trainer } = file;
  if (method !== 'pbt') {
    for (const key of ['population', 'pbt'] as const) {
      if (file[key] !== undefined) findings.atKey([key], `${key} applies to method pbt only`);
    }
    return undefined;
  }
  // Only keys that the file lacks are reported here. A key with an invalid value is undefined too, but has its own
  // message.
  for (const [key, example] of [
    ['population', '8'],
    ['pbt', '{interval: 5}'],
  ] as const) {
    if (!has(findings.root, [key])) findings.atKey([], `missing key "${key}": write ${key}: ${example}`);
  }
  for (const [key, reason] of Object.entries(EXCLUDED_KEYS)) {
    if (has(findings.root, [key])) findings.atKey([key], `"${key}" cannot be used with method pbt: ${reason}`);
  }
  if (has(findings.root, ['parameters', 'seed'])) {
    findings.atKey(['parameters', 'seed'], `seed cannot be a parameter with method pbt: ${EXCLUDED_KEYS.seeds}`);
  }
  if (file.speculate === true) {
    findings.atKey(
      ['speculate'],
      '"speculate" cannot be used with method pbt: a second attempt starts from the beginning',
    );
  }
  if (trainer === 'noop')
    findings.atKey(['trainer'], 'trainer noop stores no checkpoints, so method pbt cannot use it');
  if (metric === '' && !namesMetric(findings.root)) {
    const remedy = 'write metric: {name: val_loss, goal: minimize}';
    findings.atKey(['method'], `method pbt compares the values of a metric, but the file names none; ${remedy}`);
  }
  checkCheckpoints(file, findings);
  checkInterval(file, last, findings);
  const explore = exploredOf(file, space, findings);
  if (population === undefined || pbt === undefined) return undefined;
  const { quantile: share, perturb: factors, resample: redrawn } = DEFAULT_POPULATION;
  const { interval, quantile = share, perturb = factors, resample = redrawn } = pbt;
  if (quantileCount(population, quantile) < 1) {
    const least = Math.ceil(1 / quantile);
    const message = `population: quantile ${quantile} of ${population} members is less than one member; expected ${least} or more`;
    findings.atValue(['population'], message);
  }
  if (file.run_cap !== undefined && file.run_cap < population) {
    findings.atValue(['run_cap'], `run_cap: expected at least ${population} (the population), got ${file.run_cap}`);
  }
  const shares = { quantile, perturb, resample, seed: file.seed ?? DEFAULT_SEED };
  return { type: 'pbt', population, interval, ...shares, maxTrials: file.run_cap, explore };
}

/** Checks that a checkpoint is stored at the epoch of each comparison. */
function checkCheckpoints(
  { checkpoint_every: every = DEFAULT_CHECKPOINT_EVERY, pbt }: SweepFile,
  findings: Findings,
): void {
  if (every === 0) {
    const message = 'checkpoint_every: method pbt continues trials from checkpoints; expected 1 or more, got 0';
    findings.atValue(['checkpoint_every'], message);
  } else if (pbt !== undefined && pbt.interval % every !== 0) {
    const message = `interval: expected a multiple of ${every} (checkpoint_every), got ${pbt.interval}`;
    findings.atValue(['pbt', 'interval'], message);
  }
}

/**
 * Checks that the interval is shorter than the longest trial. Otherwise the members would never be compared, because a
 * trial that reaches its last epoch ends, and is not held for a comparison.
 */
function checkInterval({ pbt }: SweepFile, last: number | undefined, findings: Findings): void {
  if (pbt === undefined || last === undefined || pbt.interval < last) return;
  const message = `interval: the members would never be compared before their last epoch; expected less than ${last}, got ${pbt.interval}`;
  findings.atValue(['pbt', 'interval'], message);
}

function exploredOf(
  { trainer, pbt }: SweepFile,
  space: ReadonlyMap<string, Distribution>,
  findings: Findings,
): [string, ExploredDistribution][] {
  const spec: TrainerSpec = TRAINERS[trainer];
  const canChange = (name: string) => spec.open || canChangeOnResume(trainer, name);
  const changeable = Object.keys(spec.parameters).filter((name) => canChangeOnResume(trainer, name));
  if (pbt?.explore === undefined && spec.open) {
    if (pbt !== undefined) {
      const message = `pbt: missing key "explore": write the parameters that the program can change on resume, such as explore: [lr]`;
      findings.atKey(['pbt'], message);
    }
    return [];
  }
  const named = pbt?.explore ?? [...space.keys()].filter((name) => canChange(name) && isExplorable(space.get(name)));
  const isDeclared = (name: string) => has(findings.root, ['parameters', name]);
  const hasInvalid = changeable.some((name) => isDeclared(name) && !space.has(name));
  if (named.length === 0 && !hasInvalid) {
    const message = `method pbt needs a parameter that a child can change; write a distribution for at least one of ${changeable.join(', ')}`;
    findings.atKey(['parameters'], message);
  }
  return named.flatMap((name, at): [string, ExploredDistribution][] => {
    const distribution = space.get(name);
    const add = (message: string) => findings.atValue(['pbt', 'explore', at], `explore: ${message}`);
    if (distribution === undefined && isDeclared(name)) return [];
    if (distribution === undefined) {
      add(`the file has no parameter ${quote(name)}${didYouMean(name, [...space.keys()])}`);
    } else if (!canChange(name)) {
      add(`trainer ${trainer} cannot resume with another value of ${name}; it can change ${changeable.join(', ')}`);
    } else if (!isExplorable(distribution)) {
      add(`${name} must have min and max, or at least two values; ${kindText(distribution)} cannot be perturbed`);
    } else if (named.indexOf(name) < at) {
      add(`${name} is listed twice`);
    } else return [[name, distribution]];
    return [];
  });
}

function isExplorable(distribution: Distribution | undefined): distribution is ExploredDistribution {
  switch (distribution?.kind) {
    case 'categorical':
      return distribution.values.length > 1 && distribution.values.every((value) => typeof value !== 'object');
    case 'int_uniform':
    case 'uniform':
    case 'log_uniform':
      return distribution.min < distribution.max;
    default:
      return false;
  }
}

function kindText(distribution: Distribution): string {
  const { kind } = distribution;
  if (kind === 'constant' || (kind === 'categorical' && distribution.values.length < 2)) return 'a single value';
  return kind === 'categorical' ? 'a list, a mapping or null' : `a parameter of kind ${kind}`;
}
