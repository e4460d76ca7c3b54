/** Identifies sweep files with the same content. */
import { sha256Of } from '../../lib/files/checksum.ts';
import { canonicalJson, type Json } from '../../proto/values.ts';
import type { Resources } from '../core/model.ts';
import type { Condition } from '../grid/rules.ts';
import type { SweepSpec } from '../grid/spec.ts';
import { DEFAULT_CHECKPOINT_EVERY, DEFAULT_RECONSTRUCT_EVERY } from './parse.ts';

/**
 * Returns the SHA-256, in hex, of everything that determines the trials, how they run and how they are ranked. Formatting,
 * comments, the order of keys, explicit defaults, name, description, priority and weight do not count; the order of
 * values and of rules does.
 */
export function sweepFingerprint(spec: SweepSpec): string {
  const content: Json = {
    trainer: spec.trainer,
    // Later keys are absent where they have their default, so that files of before keep their fingerprint.
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
    // Keys of later versions are omitted at their defaults, so that the fingerprints of older files do not change.
    ...(spec.checkpointEvery === DEFAULT_CHECKPOINT_EVERY ? {} : { checkpointEvery: spec.checkpointEvery }),
    ...(spec.reconstructEvery === DEFAULT_RECONSTRUCT_EVERY ? {} : { reconstructEvery: spec.reconstructEvery }),
    ...(hasNoDemands(spec.resources) ? {} : { resources: { ...spec.resources, labels: { ...spec.resources.labels } } }),
    ...(spec.command.length === 0 ? {} : { command: spec.command }),
  };
  return sha256Of(canonicalJson(content));
}

function hasNoDemands({ gpu, vramBytes, labels }: Resources): boolean {
  return gpu === undefined && vramBytes === undefined && Object.keys(labels).length === 0;
}

function conditionsData(conditions: readonly Condition[]): Json {
  return Object.fromEntries(conditions.map(({ name, anyOf }) => [name, anyOf]));
}
