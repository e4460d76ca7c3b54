/** Parses the text of a sweep file into a checked sweep. */

import { basename } from 'node:path';
import { usualGoal } from '../../lib/domain/ranking.ts';
import { parseDuration } from '../../lib/text/duration.ts';
import { parseSize } from '../../lib/text/size.ts';
import { type ProgramSpec, WandbMode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { DEFAULT_PRIORITY, DEFAULT_WEIGHT } from '../../proto/limits.ts';
import { TRAINERS, type TrainerSpec } from '../../proto/trainers.ts';
import type { MaxFailed, Resources, RetryBudget } from '../core/model.ts';
import type { Metric, Order, SweepSpec } from '../grid/spec.ts';
import { commandOf, withImpliedTrainer } from './command.ts';
import { parseDocument } from './document.ts';
import { hypothesesOf } from './hypotheses.ts';
import { axesOf, zipOf } from './parameters.ts';
import { Findings, has, type Located, locate, SweepFileError } from './problems.ts';
import { excludeRulesOf, type RuleContext, whenRulesOf } from './rules.ts';
import type { SweepFile } from './schema.ts';
import { checkShape } from './shape.ts';
import { metricProblem } from './trainer-rules.ts';

export const DEFAULT_CHECKPOINT_EVERY = 1;
/** The first epoch and every fourth after it: 1, 5, 9, 13. */
export const DEFAULT_RECONSTRUCT_EVERY = 4;
const DEFAULT_RETRY: RetryBudget = { oom: 1, crash: 2, timeout: 1, backoffMs: 2_000 };

/**
 * @param fileName for messages, and for the sweep's name if the text has none
 * @throws {SweepFileError} with all problems of the file that can be found in one pass
 */
export function parseSweep(text: string, fileName: string): SweepSpec {
  const { root, placeOf } = parseDocument(text, fileName);
  const findings = new Findings(root, placeOf);
  const file = checkShape(withImpliedTrainer(root.data), root, findings);
  const spec = file === undefined ? undefined : specOf(file, fileName, root, findings);
  if (spec === undefined || findings.problems.length > 0) throw new SweepFileError(fileName, findings.problems);
  return spec;
}

function specOf(file: SweepFile, fileName: string, root: Located, findings: Findings): SweepSpec {
  const trainer: TrainerSpec = TRAINERS[file.trainer];
  const zipped = new Set(file.zip?.flat());
  const axes = axesOf(file.parameters, { trainerName: file.trainer, trainer, zipped, findings });
  const context: RuleContext = {
    trainerName: file.trainer,
    trainer,
    declared: [...locate(root, ['parameters']).entries.keys()].map(String),
    axes: new Map(axes.map((axis) => [axis.name, axis])),
    findings,
  };
  const when = whenRulesOf(file.when, context);
  return {
    name: file.name ?? nameOf(fileName),
    description: file.description ?? '',
    trainer: file.trainer,
    command: commandOf(file, root, findings),
    program: programOf(file),
    metric: metricOf(file, trainer, root, findings),
    axes,
    zip: zipOf(file, context),
    exclude: excludeRulesOf(file.exclude, context),
    when,
    seeds: seedsOf(file, findings),
    order: orderOf(file, findings),
    concurrency: file.concurrency,
    priority: file.priority ?? DEFAULT_PRIORITY,
    weight: file.weight ?? DEFAULT_WEIGHT,
    resources: resourcesOf(file, trainer, findings),
    retry: retryOf(file),
    timeoutMs: file.timeout === undefined ? undefined : parseDuration(file.timeout),
    maxFailed: maxFailedOf(file),
    checkpointEvery: file.checkpoint_every ?? DEFAULT_CHECKPOINT_EVERY,
    reconstructEvery: file.reconstruct_every ?? DEFAULT_RECONSTRUCT_EVERY,
    hypotheses: hypothesesOf(file, { ...context, when }),
  };
}

/** What agents need to know about the user's program besides its command. */
function programOf(file: SweepFile): ProgramSpec | undefined {
  if (file.trainer !== 'command') return undefined;
  return {
    env: {},
    report: [],
    classify: [],
    wandb: WandbMode.OFF,
    code: undefined,
    floatParameters: [],
    metric: file.metric?.name ?? '',
    firstReportMs: 0,
    seedParameter: '',
  };
}

/** Returns the file's name without folder and extension. */
function nameOf(fileName: string): string {
  const name = basename(fileName)
    .replace(/\.(?:ya?ml|json)$/i, '')
    .replace(/\p{Cc}/gu, '');
  return name === '' || name === '-' ? 'sweep' : name;
}

function metricOf(file: SweepFile, trainer: TrainerSpec, root: Located, findings: Findings): Metric {
  const name = file.metric?.name ?? trainer.metrics[0] ?? '';
  if (trainer.metrics.length === 0) {
    const message = `missing key "metric": trainer ${file.trainer} has no default; write metric: {name: test_loss, goal: minimize}`;
    if (!has(root, ['metric'])) findings.atKey([], message);
  }
  const problem = metricProblem(file.trainer, trainer, name);
  if (problem !== undefined) findings.atValue(['metric', 'name'], problem);
  return {
    name,
    goal: file.metric?.goal ?? usualGoal(name),
    at: file.metric?.at ?? 'last',
    target: file.metric?.target,
  };
}

function seedsOf(file: SweepFile, findings: Findings): readonly number[] {
  const { seeds, replicates } = file;
  if (seeds !== undefined && replicates !== undefined) {
    findings.atKey(['replicates'], 'replicates and seeds exclude each other; remove one of them');
  }
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
  return seeds ?? Array.from({ length: replicates ?? 1 }, (_, seed) => seed);
}

function orderOf(file: SweepFile, findings: Findings): Order {
  if (file.order === 'shuffled') {
    if (file.seed === undefined) findings.atValue(['order'], 'order: shuffled requires a seed, such as seed: 1');
    return { kind: 'shuffled', seed: file.seed ?? 0 };
  }
  if (file.seed !== undefined) {
    findings.atKey(
      ['seed'],
      'seed applies to order: shuffled only; for the seeds of the trials write seeds: [0, 1, 2]',
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
