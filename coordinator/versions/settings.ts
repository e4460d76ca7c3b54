/** Compares two versions of a sweep file, except for the settings that determine the points of the sweep. */
import { formatSpan } from '../../lib/text/duration.ts';
import { BadInputError } from '../../proto/errors.ts';
import { canonicalJson } from '../../proto/values.ts';
import type { MaxFailed } from '../core/policy.ts';
import { earlyTerminateText } from '../early-stop/settings-text.ts';
import type { SweepSpec } from '../grid/spec.ts';
import { requireSameArguments } from './arguments.ts';

/** A changed setting, for display. */
export interface SettingChange {
  /** The key of the setting in the sweep file. */
  readonly key: string;
  readonly before: string;
  readonly after: string;
}

/** The settings that a new version can change. */
const CHANGEABLE: readonly { readonly key: string; readonly text: (spec: SweepSpec) => string }[] = [
  { key: 'name', text: ({ name }) => name },
  { key: 'concurrency', text: ({ concurrency }) => `${concurrency ?? 'no limit'}` },
  { key: 'priority', text: ({ priority }) => `${priority}` },
  { key: 'weight', text: ({ weight }) => `${weight}` },
  { key: 'retry.oom', text: ({ retry }) => `${retry.oom}` },
  { key: 'retry.crash', text: ({ retry }) => `${retry.crash}` },
  { key: 'retry.timeout', text: ({ retry }) => `${retry.timeout}` },
  { key: 'retry.backoff', text: ({ retry }) => formatSpan(retry.backoffMs) },
  { key: 'timeout', text: ({ timeoutMs }) => (timeoutMs === undefined ? 'no limit' : formatSpan(timeoutMs)) },
  { key: 'max_failed', text: ({ maxFailed }) => maxFailedText(maxFailed) },
  { key: 'speculate', text: ({ speculate }) => `${speculate}` },
  {
    key: 'early_terminate',
    text: ({ earlyTerminate }) => (earlyTerminate ? earlyTerminateText(earlyTerminate) : 'none'),
  },
  { key: 'metric.target', text: ({ metric }) => `${metric.target ?? 'none'}` },
  { key: 'checkpoint_every', text: ({ checkpointEvery }) => `${checkpointEvery}` },
  { key: 'reconstruct_every', text: ({ reconstructEvery }) => `${reconstructEvery}` },
  { key: 'optuna', text: ({ search }) => samplerText(search) },
  { key: 'hypotheses', text: ({ hypotheses }) => hypotheses.map(({ name }) => name).join(', ') || 'none' },
];

/**
 * The settings that cannot change. If such a setting changed, the results of old and new trials would not be
 * comparable, or running trials could be on slots that do not meet the new requirements.
 */
const FIXED: readonly { readonly key: string; readonly content: (spec: SweepSpec) => unknown }[] = [
  { key: 'trainer', content: ({ trainer }) => trainer },
  { key: 'method', content: ({ search }) => search?.method ?? 'grid' },
  { key: 'command', content: ({ command }) => command },
  // A sweep file for a program can omit the metric. `program.metric` is then empty.
  { key: 'metric', content: ({ metric, program }) => [metric.name, metric.goal, metric.at, program?.metric] },
  { key: 'metrics', content: ({ objectives }) => objectives },
  { key: 'resources', content: ({ resources }) => resources },
  { key: 'code', content: ({ code }) => code && [code.dir, code.exclude] },
  { key: 'env', content: ({ program }) => program?.env },
  { key: 'report', content: ({ program }) => program?.report },
  { key: 'classify', content: ({ program }) => program?.classify },
  { key: 'wandb', content: ({ program }) => program?.wandb },
  { key: 'first_report', content: ({ program }) => program?.firstReportMs },
];

/**
 * Returns the settings that differ between the two versions.
 * @throws {BadInputError} if a setting that cannot change differs
 */
export function compareSettings(before: SweepSpec, after: SweepSpec): SettingChange[] {
  const fixed = FIXED.filter(({ content }) => jsonText(content(before)) !== jsonText(content(after)));
  if (fixed.length > 0) {
    throw new BadInputError(
      `${fixed.map(({ key }) => key).join(', ')} cannot change in a sweep that has results: submit the file as a new sweep`,
    );
  }
  requireSameArguments(before, after);
  const changes = CHANGEABLE.map(({ key, text }) => ({ key, before: text(before), after: text(after) }));
  return changes.filter((change) => change.before !== change.after || isEdited(change.key, before, after));
}

/**
 * Returns whether a setting differs between the versions although its text is the same in both versions. The names of
 * hypotheses can be equal while their claims differ.
 */
function isEdited(key: string, before: SweepSpec, after: SweepSpec): boolean {
  return key === 'hypotheses' && jsonText(before.hypotheses) !== jsonText(after.hypotheses);
}

function samplerText(search: SweepSpec['search']): string {
  if (search?.method !== 'optuna') return 'none';
  const { sampler, options, python } = search;
  return jsonText({ sampler, options, python });
}

function maxFailedText(limit: MaxFailed | undefined): string {
  if (limit === undefined) return 'no limit';
  return limit.kind === 'count' ? `${limit.count}` : `${limit.ratio * 100}%`;
}

function jsonText(value: unknown): string {
  return value === undefined ? 'none' : canonicalJson(JSON.parse(JSON.stringify(value)));
}
