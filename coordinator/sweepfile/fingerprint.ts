/** Identifies sweep files with the same content. */
import { sha256Of } from '../../lib/files/checksum.ts';
import type { ReportSource } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { canonicalJson, type Json } from '../../proto/values.ts';
import type { Resources } from '../core/policy.ts';
import type { Condition } from '../grid/points.ts';
import { isDrawn, type Search, type SweepSpec } from '../grid/spec.ts';
import { DEFAULT_CHECKPOINT_EVERY, DEFAULT_RECONSTRUCT_EVERY } from './defaults.ts';
import { programDefaults } from './program.ts';

/**
 * Returns the SHA-256, in hex, of everything that determines the trials, how they run and how they are ranked. The hash
 * depends on the order of values and of rules. The hash does not depend on formatting, comments, the order of keys,
 * name, description, hypotheses, priority or weight. The hash stays the same if a file omits a key that has its default
 * value (except `report: json`).
 */
export function sweepFingerprint(spec: SweepSpec): string {
  const content: Json = {
    trainer: spec.trainer,
    metric: {
      name: spec.metric.name,
      goal: spec.metric.goal,
      ...(spec.metric.at === 'best' ? { at: spec.metric.at } : {}),
      ...(spec.metric.target === undefined ? {} : { target: spec.metric.target }),
    },
    axes: Object.fromEntries(spec.axes.map(({ name, definition }) => [name, definition])),
    zip: spec.zip.map((names) => [...names].sort().join(' ')).sort(),
    exclude: spec.exclude.map(({ conditions }) => conditionsData(conditions)),
    when: spec.when.map(({ conditions, set }) => ({ if: conditionsData(conditions), set })),
    seeds: spec.seeds,
    order: { ...spec.order },
    concurrency: spec.concurrency ?? null,
    retry: { ...spec.retry },
    timeoutMs: spec.timeoutMs ?? null,
    maxFailed: spec.maxFailed === undefined ? null : { ...spec.maxFailed },
    ...(spec.objectives.length === 0 ? {} : { objectives: spec.objectives.map((objective) => ({ ...objective })) }),
    // Keys that newer versions of trawl added are omitted if they have their defaults, so that the fingerprints of
    // older files do not change.
    ...(spec.checkpointEvery === DEFAULT_CHECKPOINT_EVERY ? {} : { checkpointEvery: spec.checkpointEvery }),
    ...(spec.reconstructEvery === DEFAULT_RECONSTRUCT_EVERY ? {} : { reconstructEvery: spec.reconstructEvery }),
    ...(spec.speculate ? { speculate: true } : {}),
    ...(hasNoDemands(spec.resources) ? {} : { resources: { ...spec.resources, labels: { ...spec.resources.labels } } }),
    ...(spec.command.length === 0 ? {} : { command: spec.command }),
    ...(spec.adaptiveReplicates === undefined ? {} : { adaptiveReplicates: { ...spec.adaptiveReplicates } }),
    ...(spec.search === undefined ? {} : searchData(spec.search)),
    ...(spec.runCap === undefined ? {} : { runCap: spec.runCap }),
    ...(spec.earlyTerminate === undefined ? {} : { earlyTerminate: JSON.parse(JSON.stringify(spec.earlyTerminate)) }),
    ...(spec.code === undefined ? {} : { code: { dir: spec.code.dir, exclude: spec.code.exclude } }),
    ...programData(spec),
  };
  return sha256Of(canonicalJson(content));
}

function searchData(search: Search): Record<string, Json> {
  const space = [...search.space].map(([name, distribution]) => [name, JSON.parse(JSON.stringify(distribution))]);
  const data = { method: search.method, space };
  if (isDrawn(search)) return search.seed === 0 ? data : { ...data, searchSeed: search.seed };
  const warm = search.warmStart.length === 0 ? data : { ...data, warmStart: search.warmStart };
  if (search.method === 'tpe') return warm;
  const { sampler, options, seed } = search;
  return { ...warm, optuna: { sampler, options, seed } };
}

/**
 * Returns the program's part of the fingerprint. The part does not depend on the notation of numbers, or on the
 * key first_report, which only affects warnings.
 */
function programData({ program, isWandbFile }: SweepSpec): Record<string, Json> {
  if (program === undefined) return {};
  const { env, report, classify, wandb, seedParameter } = program;
  const { mode, sources } = programDefaults(isWandbFile);
  const data: Record<string, Json> = {};
  if (Object.keys(env).length > 0) data.env = { ...env };
  if (canonicalJson(reportData(report)) !== canonicalJson(reportData(sources))) data.report = reportData(report);
  if (classify.length > 0) data.classify = classify.map((rule) => ({ pattern: rule.pattern, class: rule.class }));
  if (wandb !== mode) data.wandb = wandb;
  if (seedParameter !== '') data.seedParameter = seedParameter;
  return data;
}

function reportData(report: readonly ReportSource[]): Json {
  return report.map(({ source }) => (source === undefined ? null : JSON.parse(JSON.stringify(source))));
}

function hasNoDemands({ gpu, vramBytes, labels }: Resources): boolean {
  return gpu === undefined && vramBytes === undefined && Object.keys(labels).length === 0;
}

function conditionsData(conditions: readonly Condition[]): Json {
  return Object.fromEntries(conditions.map(({ name, anyOf }) => [name, anyOf]));
}
