/** Validates the content of a sweep file and fills in the defaults. */

import { basename } from 'node:path';
import { SEED } from '../../lib/domain/parameters.ts';
import type { Objective } from '../../lib/domain/pareto.ts';
import { usualGoal } from '../../lib/domain/ranking.ts';
import { parseDuration } from '../../lib/text/duration.ts';
import { formatCount } from '../../lib/text/numbers.ts';
import { show } from '../../lib/text/quote.ts';
import { parseSize } from '../../lib/text/size.ts';
import { DEFAULT_PRIORITY, DEFAULT_WEIGHT } from '../../proto/limits.ts';
import { EPOCH_PARAMETERS, TRAINERS, type TrainerSpec } from '../../proto/trainers.ts';
import type { MaxFailed, Resources, RetryBudget } from '../core/policy.ts';
import type { Axis } from '../grid/axes.ts';
import { longestTraining } from '../grid/longest-training.ts';
import {
  type AdaptiveReplicates,
  defaultRunCap,
  type Metric,
  type Search,
  type SweepSpec,
  type TrialOrder,
} from '../grid/spec.ts';
import type { Distribution } from '../search/distribution.ts';
import { MAX_SOBOL_DIMENSIONS } from '../search/sobol.ts';
import { commandOf } from './command.ts';
import {
  DEFAULT_CHECKPOINT_EVERY,
  DEFAULT_METHOD,
  DEFAULT_METRIC_AT,
  DEFAULT_RECONSTRUCT_EVERY,
  DEFAULT_RETRY,
  DEFAULT_SEED,
  DEFAULT_SPECULATE,
} from './defaults.ts';
import { earlyTerminateOf } from './early-terminate.ts';
import { floatsOf } from './floats.ts';
import { hypothesesOf } from './hypotheses.ts';
import { samplerOf } from './optuna.ts';
import { declarationsOf, spaceOf, zipOf } from './parameters.ts';
import { populationOf } from './population.ts';
import { type Findings, has, type Located, type Path } from './problems.ts';
import { canOmitMetric, codeSpecOf, isWandbFile, programOf } from './program.ts';
import { excludeRulesOf, type RuleContext, whenRulesOf } from './rules.ts';
import { IGNORED_KEYS, IGNORED_METRIC_KEYS, MAX_SEED, MAX_SEEDS, type SweepFile } from './schema.ts';
import { metricProblem, namesMetric } from './trainer-rules.ts';

export interface FileFacts {
  /** The name of the file, from which the name of the sweep is taken if the file has no key `name`. */
  readonly fileName: string;
  /** Keys without a meaning of their own, such as keys that only define anchors. */
  readonly ignored: readonly string[];
  /** Notes for the author of the file. */
  readonly notes: readonly string[];
}

/**
 * Builds a sweep from a file whose shape is valid. Adds a finding for each problem. The result is valid only if no
 * finding was added.
 */
export function specOf(
  file: SweepFile,
  { fileName, ignored: unused, notes }: FileFacts,
  root: Located,
  findings: Findings,
): SweepSpec {
  const trainer: TrainerSpec = TRAINERS[file.trainer];
  const isGrid = (file.method ?? DEFAULT_METHOD) === 'grid';
  const declarations = declarationsOf(root);
  const ignored = [
    ...unused,
    ...IGNORED_KEYS.filter((key) => has(root, [key])),
    ...IGNORED_METRIC_KEYS.filter((key) => has(root, ['metric', key])).map((key) => `metric.${key}`),
  ];
  const isWandb = file.trainer === 'command' && isWandbFile(file);
  const spaceNotes: string[] = [];
  const zipped = new Set(file.zip?.flat());
  const space = spaceOf(file, declarations, {
    trainerName: file.trainer,
    trainer,
    isGrid,
    zipped,
    findings,
    ignored,
    isWandb,
    notes: spaceNotes,
  });
  const places = new Map(declarations.map(({ name, path }) => [name, path]));
  const seedAxis = space.axes.find(({ name }) => name === SEED);
  const axes = space.axes.filter((axis) => axis !== seedAxis);
  const context: RuleContext = {
    trainerName: file.trainer,
    trainer,
    declared: declarations.map(({ name }) => name),
    axes: new Map(axes.map((axis) => [axis.name, axis])),
    constants: new Set(declarations.filter(({ path }) => has(root, [...path, 'value'])).map(({ name }) => name)),
    isGrid,
    place: (name) => places.get(name) ?? ['parameters'],
    findings,
  };
  const when = whenRulesOf(file.when, context);
  checkWarmStart(file, findings);
  if (file.optuna !== undefined && file.method !== 'optuna') {
    findings.atKey(['optuna'], `optuna applies to method optuna only; the method is ${file.method ?? DEFAULT_METHOD}`);
  }
  const objectives = objectivesOf(file, trainer, findings);
  const metric = metricOf(file, trainer, root, findings);
  const seeds = seedsOf(file, seedAxis, context, findings);
  const last = lastEpochOf(file, { axes, when }, space.distributions, context);
  const named = {
    metric: metric.name,
    floats: floatsOf(declarations, root),
    parameters: context.declared,
    hasSeed: seedAxis !== undefined,
  };
  return {
    name: file.name ?? nameOf(fileName),
    description: file.description ?? '',
    trainer: file.trainer,
    command: commandOf(file, context.declared, root, findings),
    program: programOf(file, named, root, findings),
    code: codeSpecOf(file, findings),
    isWandbFile: isWandb,
    metric,
    objectives,
    axes,
    zip: zipOf(file, context),
    exclude: excludeRulesOf(file.exclude, context),
    when,
    search: isGrid ? undefined : searchOf(file, space.distributions, findings),
    runCap: runCapOf(file, seeds.length, findings),
    earlyTerminate:
      populationOf(file, space.distributions, { metric: metric.name, last }, findings) ??
      earlyTerminateOf(file, { metric: metric.name, last }, ignored, findings),
    ignored,
    notes: [...notesOf(file, metric, seeds.length), ...notes, ...spaceNotes],
    seeds,
    adaptiveReplicates: adaptiveReplicatesOf(file, metric, findings),
    order: orderOf(file, findings),
    concurrency: file.concurrency,
    priority: file.priority ?? DEFAULT_PRIORITY,
    weight: file.weight ?? DEFAULT_WEIGHT,
    resources: resourcesOf(file, trainer, findings),
    retry: retryOf(file),
    timeoutMs: file.timeout === undefined ? undefined : parseDuration(file.timeout),
    maxFailed: maxFailedOf(file),
    speculate: file.speculate ?? DEFAULT_SPECULATE,
    checkpointEvery: file.checkpoint_every ?? DEFAULT_CHECKPOINT_EVERY,
    reconstructEvery: file.reconstruct_every ?? DEFAULT_RECONSTRUCT_EVERY,
    hypotheses: hypothesesOf(file, { ...context, when }),
  };
}

/**
 * Returns the last epoch of the longest trial. Undefined if the epoch is not known, or if the parameter that gives the
 * number of epochs is invalid.
 */
function lastEpochOf(
  { trainer }: SweepFile,
  grid: Pick<SweepSpec, 'axes' | 'when'>,
  space: ReadonlyMap<string, Distribution>,
  { declared }: RuleContext,
): number | undefined {
  const isInvalid = (name: string) => !space.has(name) && grid.axes.every((axis) => axis.name !== name);
  if (declared.some((name) => EPOCH_PARAMETERS.includes(name) && isInvalid(name))) return undefined;
  return longestTraining({ trainer, ...grid }, space);
}

/**
 * Returns the maximum number of trials, rounded down so that every config has all its replicates. For method pbt,
 * returns the number of members, which does not include their children.
 */
function runCapOf(
  { method, population, run_cap: written, replicates }: SweepFile,
  seeds: number,
  findings: Findings,
): number | undefined {
  if (method === 'pbt') return population;
  if (written === undefined || typeof replicates === 'object') return written;
  if (written < seeds) {
    const message = `run_cap: expected at least ${seeds} (the number of replicates of a config), got ${written}`;
    findings.mistakeAtValue(['run_cap'], message);
    return written;
  }
  return written - (written % seeds);
}

function searchOf(file: SweepFile, space: ReadonlyMap<string, Distribution>, findings: Findings): Search {
  const { method, seed, warm_start: warmStart = [] } = file;
  if (method === 'optuna') {
    return {
      method,
      seed: seed ?? DEFAULT_SEED,
      space,
      warmStart: warmStart.map(String),
      ...samplerOf(file, findings),
    };
  }
  if (method === 'bayes' || method === 'tpe') {
    return { method: 'tpe', seed: seed ?? DEFAULT_SEED, space, warmStart: warmStart.map(String) };
  }
  if (method !== 'sobol') return { method: method === 'pbt' ? 'pbt' : 'random', seed: seed ?? DEFAULT_SEED, space };
  const dimensions = [...space.values()].filter(({ kind }) => kind !== 'constant').length;
  if (dimensions > MAX_SOBOL_DIMENSIONS) {
    const remedy = 'give some of them a single value, or write method: random';
    findings.atKey(['parameters'], `${dimensions} parameters vary (max ${MAX_SOBOL_DIMENSIONS} for sobol); ${remedy}`);
  }
  return { method, seed: 0, space };
}

/** The methods that can start with results of earlier sweeps. */
const WARM_METHODS: readonly SweepFile['method'][] = ['tpe', 'bayes', 'optuna'];

function checkWarmStart(
  { method = DEFAULT_METHOD, warm_start: warmStart, trainer }: SweepFile,
  findings: Findings,
): void {
  if (warmStart === undefined) return;
  if (!WARM_METHODS.includes(method)) {
    findings.atKey(['warm_start'], `warm_start: method ${method} uses no earlier results; write method: tpe or optuna`);
  }
  if (!namesMetric(findings.root) && TRAINERS[trainer].metrics.length === 0) {
    findings.atKey(['warm_start'], 'warm_start requires a metric, such as metric: {name: test_loss, goal: minimize}');
  }
}

function notesOf(file: SweepFile, metric: Metric, seeds: number): string[] {
  const notes: string[] = [];
  const { run_cap: cap, replicates } = file;
  const left = cap === undefined || cap < seeds || typeof replicates === 'object' ? 0 : cap % seeds;
  if (cap !== undefined && left > 0 && file.method !== 'pbt') {
    notes.push(
      `run_cap ${formatCount(cap)} is not a multiple of ${seeds} replicates: the sweep has at most ` +
        `${formatCount(cap - left)} trials, so that every config has all its replicates`,
    );
  }
  if (file.method === 'bayes') notes.push('method bayes is treated as tpe');
  if (!['grid', 'pbt'].includes(file.method ?? DEFAULT_METHOD) && file.run_cap === undefined) {
    notes.push(`the file has no run_cap: the sweep has at most ${formatCount(defaultRunCap(seeds))} trials`);
  }
  if (file.early_terminate?.type === 'envelope') notes.push('early_terminate envelope is treated as median');
  if (metric.name === '') {
    notes.push(
      'the file names no metric: trials are ranked by the first metric that appears in two reports of a trial; accuracy, F1, AUC, PSNR and the like are maximized, and other metrics are minimized',
    );
  }
  return notes;
}

function nameOf(fileName: string): string {
  const name = basename(fileName)
    .replace(/\.(?:ya?ml|json)$/i, '')
    .replace(/\p{Cc}/gu, '');
  return name === '' || name === '-' ? 'sweep' : name;
}

function objectivesOf(file: SweepFile, trainer: TrainerSpec, findings: Findings): Objective[] {
  const { metrics = [], metric } = file;
  if (metrics.length > 0 && metric !== undefined) {
    findings.atKey(['metrics'], '"metric" and "metrics" exclude each other; remove one of them');
  }
  if (metrics.length > 0 && file.warm_start !== undefined) {
    findings.atKey(
      ['warm_start'],
      'warm_start requires a single metric; remove warm_start, or write "metric" instead of "metrics"',
    );
  }
  return metrics.map(({ name, goal = usualGoal(name) }, at) => {
    const problem = metricProblem(file.trainer, trainer, name);
    if (problem !== undefined) findings.atValue(['metrics', at, 'name'], problem);
    const first = metrics.findIndex((other) => other.name === name);
    if (first < at) {
      const where = findings.where(['metrics', first, 'name']);
      findings.atValue(['metrics', at, 'name'], `name: ${show(name)} is listed twice, first at ${where}`);
    }
    return { name, goal };
  });
}

function metricOf(file: SweepFile, trainer: TrainerSpec, root: Located, findings: Findings): Metric {
  const [objective] = file.metrics ?? [];
  if (objective !== undefined) {
    const { name, goal = usualGoal(name) } = objective;
    return { name, goal, at: DEFAULT_METRIC_AT, target: undefined };
  }
  const name = file.metric?.name ?? trainer.metrics[0] ?? '';
  if (trainer.metrics.length === 0) {
    const message = `missing key "metric": trainer ${file.trainer} has no default metric; write metric: {name: test_loss, goal: minimize}`;
    if (!has(root, ['metric']) && !canOmitMetric(file)) findings.atKey([], message);
  }
  const problem = metricProblem(file.trainer, trainer, name);
  if (problem !== undefined && name !== '') findings.atValue(['metric', 'name'], problem);
  return {
    name,
    goal: file.metric?.goal ?? usualGoal(name),
    at: file.metric?.at ?? DEFAULT_METRIC_AT,
    target: file.metric?.target,
  };
}

/** Returns the seeds of the replicates. If the file has a parameter named seed, its values are the seeds. */
function seedsOf(
  file: SweepFile,
  seedAxis: Axis | undefined,
  context: RuleContext,
  findings: Findings,
): readonly number[] {
  const { seeds, replicates } = file;
  if (seeds !== undefined && replicates !== undefined) {
    findings.atKey(['replicates'], '"replicates" and "seeds" exclude each other; remove one of them');
  }
  if (context.declared.includes(SEED)) {
    for (const key of ['seeds', 'replicates']) {
      if (has(findings.root, [key])) {
        findings.atKey([key], `"${key}" and the parameter "seed" exclude each other; remove one of them`);
      }
    }
  }
  if (seedAxis !== undefined) return seedsOfAxis(seedAxis, context.place(SEED), findings);
  const first = new Map<number, number>();
  for (const [index, seed] of (seeds ?? []).entries()) {
    const before = first.get(seed);
    if (before === undefined) first.set(seed, index);
    else
      findings.atValue(
        ['seeds', index],
        `seeds: ${seed} is listed twice, first at ${findings.where(['seeds', before])}`,
      );
  }
  const count = typeof replicates === 'object' ? replicates.max : (replicates ?? 1);
  return seeds ?? Array.from({ length: count }, (_, seed) => seed);
}

function adaptiveReplicatesOf(file: SweepFile, metric: Metric, findings: Findings): AdaptiveReplicates | undefined {
  const { replicates, method = DEFAULT_METHOD, hypotheses = [] } = file;
  if (typeof replicates !== 'object') return undefined;
  const { min, max } = replicates;
  if (max <= min) findings.atValue(['replicates', 'max'], `replicates: max ${max} must be more than min ${min}`);
  if (method !== 'grid') {
    findings.atKey(['replicates'], `replicates: method ${method} needs a fixed number, such as replicates: ${min}`);
  }
  if (file.early_terminate !== undefined) {
    findings.atKey(
      ['replicates'],
      'replicates: until: decided cannot be combined with early_terminate, because the values of stopped trials belong to earlier epochs',
    );
  }
  if (
    hypotheses.length === 0 &&
    metric.name === '' &&
    !namesMetric(findings.root) &&
    !has(findings.root, ['hypotheses'])
  ) {
    findings.atKey(
      ['replicates'],
      'replicates: until: decided requires hypotheses, or a metric that decides which config is the best',
    );
  }
  return { min, max };
}

function seedsOfAxis(axis: Axis, path: Path, findings: Findings): number[] {
  if (axis.size > MAX_SEEDS) {
    findings.atKey(path, `seed: ${axis.size.toLocaleString('en')} seeds (max ${MAX_SEEDS.toLocaleString('en')})`);
    return [];
  }
  return Array.from({ length: axis.size }, (_, index) => {
    const seed = axis.at(index);
    if (typeof seed === 'number' && Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED) return seed;
    const single = has(findings.root, [...path, 'value']);
    const message = `seed: expected a whole number from 0 to ${MAX_SEED}, got ${show(seed)}`;
    findings.atValue(single ? [...path, 'value'] : [...path, 'values', index], message);
    return 0;
  });
}

/** The methods whose points depend on a seed. */
const SEEDED_METHODS: readonly SweepFile['method'][] = ['random', 'tpe', 'bayes', 'optuna', 'pbt'];

function orderOf(file: SweepFile, findings: Findings): TrialOrder {
  if (file.order === 'shuffled') {
    if (!has(findings.root, ['seed'])) findings.atValue(['order'], 'order: shuffled requires a seed, such as seed: 1');
    return { kind: 'shuffled', seed: file.seed ?? DEFAULT_SEED };
  }
  const isInvalid = file.order === undefined && has(findings.root, ['order']);
  if (file.seed !== undefined && !isInvalid && !SEEDED_METHODS.includes(file.method)) {
    findings.atKey(
      ['seed'],
      'seed applies to order: shuffled and methods random, tpe, optuna and pbt only; for the seeds of the trials write seeds: [0, 1, 2]',
    );
  }
  return { kind: 'grid' };
}

function retryOf({ retry }: SweepFile): RetryBudget {
  const backoffMs = retry?.backoff === undefined ? undefined : parseDuration(retry.backoff);
  return {
    oom: retry?.oom ?? DEFAULT_RETRY.oom,
    crash: retry?.crash ?? DEFAULT_RETRY.crash,
    timeout: retry?.timeout ?? DEFAULT_RETRY.timeout,
    backoffMs: backoffMs ?? DEFAULT_RETRY.backoffMs,
  };
}

function maxFailedOf({ max_failed: written }: SweepFile): MaxFailed | undefined {
  if (written === undefined) return undefined;
  if (typeof written === 'number') return { kind: 'count', count: written };
  return { kind: 'share', ratio: Number(written.slice(0, -1)) / 100 };
}

function resourcesOf({ resources, trainer }: SweepFile, spec: TrainerSpec, findings: Findings): Resources {
  const { gpu, vram, labels = {} } = resources ?? {};
  if (gpu === false && vram !== undefined) {
    findings.atKey(['resources', 'vram'], 'vram requires a GPU, but gpu: false excludes GPUs; remove one of them');
  }
  if (typeof gpu === 'number' && gpu > 1 && spec.usesBackend) {
    const message = `gpu: trainer ${trainer} uses one GPU, got ${gpu}; only trainer command can use more`;
    findings.atValue(['resources', 'gpu'], message);
  }
  const vramBytes = vram === undefined ? undefined : parseSize(vram);
  return {
    ...(gpu === undefined ? {} : { gpu }),
    ...(vramBytes === undefined ? {} : { vramBytes }),
    labels,
  };
}
