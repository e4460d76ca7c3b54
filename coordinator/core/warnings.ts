/**
 * Detects problems that do not stop a sweep and that the user should learn about early. A sweep has at most one warning
 * of each kind. The message and the count of a warning are updated when the problem occurs again, and the warning is
 * removed when its cause disappears.
 */
import { createHash } from 'node:crypto';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { type MetricValues, withReport } from '../../lib/domain/metric-values.ts';
import { nearest } from '../../lib/text/did-you-mean.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import type { WarningKindName } from '../../proto/names.ts';
import type { Lease } from './attempt-model.ts';
import { type CurveDigest, EMPTY_CURVE, withCurveReport } from './curve-digest.ts';
import type { Core, Sweep } from './model.ts';
import { type Change, NO_STEP, type Step, stepOf } from './step.ts';
import type { ConfigResults, NoticeCounts, ReportProgress, SweepWarnings, Warning } from './sweep-observations.ts';
import { isFinal, type Trial, type TrialState } from './trial-model.ts';

/** The number of trials that must succeed without the ranking metric before the sweep is paused. */
const TRIALS_WITHOUT_METRIC = 5;
/** The number of distinct steps after which a trial should have reported the ranking metric. */
const STEPS_WITHOUT_METRIC = 3;
const NAMED_METRICS = 8;
const KEPT_METRICS = 1_000;
/**
 * The shortest silence of a program that causes a warning, in milliseconds. The shortest silence is also the default
 * time limit for the first report.
 */
const SILENCE_MS = 5 * 60_000;
/** The maximum number of configs with identical replicates whose names are kept. */
export const IDENTICAL_EXAMPLES = 20;
/** A program counts as silent after this multiple of the longest interval between its reports. */
const SILENT_INTERVALS = 3;

export function newWarnings(): SweepWarnings {
  return {
    shown: new Map(),
    reported: new Set(),
    values: new Map(),
    lacking: 0,
    configs: new Map(),
    identical: { count: 0, examples: new Map() },
    progress: new Map(),
    silent: new Map(),
    stragglers: new Map(),
    notices: new Map(),
  };
}

/** Whether the sweep runs a user's program. The metrics that a user's program reports are not known in advance. */
export function tracksProgram({ policy }: Sweep): boolean {
  return policy.trainer === 'command';
}

/**
 * Records the grant of an attempt. Without a checkpoint, the values from earlier attempts of the trial no longer count.
 */
export function onGrant(sweep: Sweep, trial: Trial, key: AttemptKey, now: number): void {
  if (!tracksProgram(sweep)) return;
  if (trial.checkpoint === undefined && trial.speculation === undefined) sweep.warnings.values.delete(trial.id);
  sweep.warnings.progress.set(keyText(key), newProgress(now, false));
}

/** Returns the key under which the values of an attempt are kept. */
function valuesName(sweep: Sweep, key: AttemptKey): string {
  return sweep.trials.get(key.trialId)?.speculation?.key.attempt === key.attempt ? keyText(key) : key.trialId;
}

/**
 * The values of a speculative attempt become the values of its trial. The caller must call this function while both
 * attempts hold their leases.
 */
export function onPromotion({ warnings: { values } }: Sweep, key: AttemptKey): void {
  const own = values.get(keyText(key));
  values.delete(keyText(key));
  if (own === undefined) values.delete(key.trialId);
  else values.set(key.trialId, own);
}

function newProgress(lastAt: number, reported: boolean): ReportProgress {
  return { lastAt, reported, longestMs: 0, steps: new Set(), curve: EMPTY_CURVE };
}

export interface ReportEvent {
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Records a report of a running attempt. */
export function onReport(
  sweep: Sweep,
  { key }: Pick<Lease, 'key'>,
  { epoch, metrics }: ReportEvent,
  now: number,
): Change[] {
  if (!tracksProgram(sweep)) return [];
  const { warnings, policy } = sweep;
  const entries = Object.entries(metrics);
  const name = valuesName(sweep, key);
  const before: MetricValues = warnings.values.get(name) ?? new Map();
  warnings.values.set(name, withReport(before, epoch, entries, policy.ranking));
  const facts = addReported(sweep, Object.keys(metrics)) ? [factsOf(sweep)] : [];
  const progress = warnings.progress.get(keyText(key)) ?? newProgress(now, false);
  warnings.progress.set(keyText(key), progress);
  progress.longestMs = Math.max(progress.longestMs, now - progress.lastAt);
  progress.lastAt = now;
  progress.reported = true;
  addStep(progress, epoch);
  progress.curve = withCurveReport(progress.curve, epoch, metrics);
  warnings.silent.delete(keyText(key));
  const thirdStep = progress.steps.size >= STEPS_WITHOUT_METRIC;
  return [...facts, ...show(sweep, 'missing_metric', missingMetric(sweep, thirdStep), now), ...showSilent(sweep, now)];
}

/** Keeps the first distinct steps that an attempt reports. */
export function addStep({ steps }: ReportProgress, step: number): void {
  if (steps.size < STEPS_WITHOUT_METRIC) steps.add(step);
}

/** Records the end of an attempt while the trial has another attempt. */
export function onSecondAttemptEnd(sweep: Sweep, key: AttemptKey, now: number): Change[] {
  sweep.warnings.values.delete(keyText(key));
  return forgetAttempt(sweep, key, now);
}

function forgetAttempt(sweep: Sweep, key: AttemptKey, now: number): Change[] {
  const { warnings } = sweep;
  const name = keyText(key);
  warnings.progress.delete(name);
  for (const counts of warnings.notices.values()) {
    counts.ended += counts.running.get(name) ?? 0;
    counts.running.delete(name);
  }
  const stragglers = warnings.stragglers.delete(name) ? showStragglers(sweep, now) : [];
  return warnings.silent.delete(name) ? [...showSilent(sweep, now), ...stragglers] : stragglers;
}

/** Records the end of a trial's last attempt, after the trial has changed its state. */
export function onAttemptEnd(sweep: Sweep, trial: Trial, key: AttemptKey, now: number): Change[] {
  const { warnings } = sweep;
  const curve = warnings.progress.get(keyText(key))?.curve ?? EMPTY_CURVE;
  const forgotten = forgetAttempt(sweep, key, now);
  if (!tracksProgram(sweep)) return forgotten;
  const changes: Change[] = [];
  if (hasResult(trial)) {
    changes.push(...keepResult(sweep, trial, { values: warnings.values.get(trial.id) ?? new Map(), curve }));
    warnings.values.delete(trial.id);
  }
  changes.push(...compareReplicates(sweep, trial.configId));
  return [
    ...changes,
    ...show(sweep, 'missing_metric', missingMetric(sweep, false), now),
    ...show(sweep, 'identical_replicates', identicalReplicates(sweep), now),
    ...forgotten,
  ];
}

/** Records that a held trial was stopped. Its attempts have ended before, so its curve is not compared. */
export function onHeldTrialStopped(sweep: Sweep, trial: Trial, now: number): Change[] {
  const { warnings } = sweep;
  if (!tracksProgram(sweep)) return [];
  const kept = keepResult(sweep, trial, { values: warnings.values.get(trial.id) ?? new Map(), curve: EMPTY_CURVE });
  warnings.values.delete(trial.id);
  return [
    ...kept,
    ...compareReplicates(sweep, trial.configId),
    ...show(sweep, 'missing_metric', missingMetric(sweep, false), now),
    ...show(sweep, 'identical_replicates', identicalReplicates(sweep), now),
  ];
}

/**
 * Returns a reason to pause the sweep if the first trials with a result all lack the ranking metric; returns undefined
 * otherwise.
 */
export function lacksMetricFromTheStart(sweep: Sweep): string | undefined {
  const { lacking } = sweep.warnings;
  if (resultsOf(sweep) !== TRIALS_WITHOUT_METRIC || lacking !== TRIALS_WITHOUT_METRIC) return undefined;
  const { metric } = sweep.policy.ranking;
  return `the first ${TRIALS_WITHOUT_METRIC} trials ended without metric ${JSON.stringify(metric)}${hintOf(sweep)}`;
}

export interface NoticeEvent {
  readonly key: AttemptKey;
  readonly warning: WarningKindName;
  readonly message: string;
  readonly count: number;
}

/**
 * Records a warning that an attempt sent. The warning replaces an earlier warning of the same kind from the same
 * attempt.
 */
export function onNotice(sweep: Sweep, { key, warning, message, count }: NoticeEvent, now: number): Change[] {
  if (warning !== 'unreadable_reports' && warning !== 'hook_not_loaded') return [];
  const counts = noticesOf(sweep, warning);
  counts.running.set(keyText(key), Math.max(1, count));
  let total = counts.ended;
  for (const each of counts.running.values()) total = Math.min(Number.MAX_SAFE_INTEGER, total + each);
  return show(sweep, warning, { message: `trial ${key.trialId}: ${message}`, count: total }, now);
}

function noticesOf({ warnings: { notices } }: Sweep, warning: WarningKindName): NoticeCounts {
  const known = notices.get(warning);
  if (known !== undefined) return known;
  const counts: NoticeCounts = { running: new Map(), ended: 0 };
  notices.set(warning, counts);
  return counts;
}

/**
 * Finds running programs that have not reported for longer than expected. After an outage of the coordinator, agents
 * have the duration of one lease to send the reports from the outage.
 */
export function onSilence(core: Core, now: number): Change[] {
  if (now - core.listeningSince < core.leaseMs) return [];
  const changes: Change[] = [];
  for (const sweep of core.sweeps.values()) {
    for (const [key, progress] of sweep.warnings.progress) {
      const lease = core.leases.get(key);
      if (lease !== undefined && isSilent(sweep, progress, now)) markSilent(sweep, lease, progress);
    }
    changes.push(...showSilent(sweep, now));
  }
  return changes;
}

function isSilent(sweep: Sweep, progress: ReportProgress, now: number): boolean {
  return now - progress.lastAt >= silenceLimitMs(sweep, progress);
}

function markSilent(sweep: Sweep, { key, agentId }: Pick<Lease, 'key' | 'agentId'>, progress: ReportProgress): void {
  const limit = formatSpan(silenceLimitMs(sweep, progress));
  const since = progress.reported ? `for ${limit}` : `within ${limit} of its start`;
  sweep.warnings.silent.set(keyText(key), `trial ${key.trialId} on agent ${agentId} has not reported ${since}`);
}

function silenceLimitMs({ policy }: Sweep, { reported, longestMs }: ReportProgress): number {
  if (reported) return Math.max(SILENCE_MS, SILENT_INTERVALS * longestMs);
  return policy.program?.firstReportMs || SILENCE_MS;
}

function showSilent(sweep: Sweep, now: number): Change[] {
  const others = (n: number) => `${n} other ${n === 1 ? 'trial is' : 'trials are'} silent`;
  return show(sweep, 'silent', newestOf(sweep.warnings.silent, others), now);
}

/** Shows or removes the warning about attempts that run much longer than comparable attempts. */
export function showStragglers(sweep: Sweep, now: number): Change[] {
  const others = (n: number) => `${n} other ${n === 1 ? 'attempt is' : 'attempts are'} slow`;
  return show(sweep, 'straggler', newestOf(sweep.warnings.stragglers, others), now);
}

export interface SamplerProblem {
  readonly sweepId: string;
  readonly problem: string;
  /** The number of failures in a row. 0: the sampler works. */
  readonly failures: number;
}

/** Shows or removes the warning that the sampler of a search fails. */
export function onSamplerProblem(core: Core, { sweepId, problem, failures }: SamplerProblem, now: number): Step {
  const sweep = core.sweeps.get(sweepId);
  if (sweep === undefined) return NO_STEP;
  return stepOf(show(sweep, 'sampler', failures === 0 ? undefined : { message: problem, count: failures }, now));
}

function newestOf(
  texts: ReadonlyMap<string, string>,
  othersText: (others: number) => string,
): Omit<Warning, 'since'> | undefined {
  const newest = [...texts.values()].at(-1);
  if (newest === undefined) return undefined;
  const message = texts.size === 1 ? newest : `${newest}; ${othersText(texts.size - 1)}`;
  return { message, count: texts.size };
}

function show(
  { id: sweepId, warnings: { shown } }: Sweep,
  warning: WarningKindName,
  next: Omit<Warning, 'since'> | undefined,
  now: number,
): Change[] {
  const before = shown.get(warning);
  if (next === undefined) {
    return shown.delete(warning) ? [{ kind: 'warning', sweepId, warning, shown: undefined, appeared: false }] : [];
  }
  if (before?.message === next.message && before.count === next.count) return [];
  const after = { ...next, since: before?.since ?? now };
  shown.set(warning, after);
  return [{ kind: 'warning', sweepId, warning, shown: after, appeared: before === undefined }];
}

function missingMetric(sweep: Sweep, thirdStep: boolean): Omit<Warning, 'since'> | undefined {
  const { metric } = sweep.policy.ranking;
  if (metric === '') return undefined;
  const { shown, reported, lacking } = sweep.warnings;
  const name = JSON.stringify(metric);
  if (lacking > 0) {
    const trials = `${lacking} of ${resultsOf(sweep)} ended trials`;
    return { message: `${trials} did not report metric ${name}${hintOf(sweep)}`, count: lacking };
  }
  if (reported.has(metric) || !(thirdStep || shown.has('missing_metric'))) return undefined;
  return { message: `no trial has reported metric ${name}${hintOf(sweep)}`, count: 1 };
}

function hintOf({ policy: { ranking }, warnings: { reported } }: Sweep): string {
  const names = [...reported].filter((name) => name !== ranking.metric);
  if (names.length === 0) return '; no other metric is reported';
  const more = names.length > NAMED_METRICS ? ` and ${names.length - NAMED_METRICS} more` : '';
  const listed = `; reported: ${names.slice(0, NAMED_METRICS).join(', ')}${more}`;
  const meant = reported.has(ranking.metric)
    ? undefined
    : (nearest(ranking.metric, names) ?? partOf(ranking.metric, names));
  return meant === undefined ? listed : `${listed}; did you mean ${JSON.stringify(meant)}?`;
}

function partOf(metric: string, names: readonly string[]): string | undefined {
  const [text, ...folded] = [metric, ...names].map((name) => name.toLowerCase().replaceAll(/[-_./ ]/g, ''));
  const at = folded.findIndex((name) => text && name && (name.includes(text) || text.includes(name)));
  return names[at];
}

/** @returns whether one of the names is new */
function addReported({ policy, warnings: { reported } }: Sweep, names: readonly string[]): boolean {
  const before = reported.size;
  for (const name of names) {
    if (reported.size < KEPT_METRICS || name === policy.ranking.metric) reported.add(name);
  }
  return reported.size > before;
}

function factsOf({ id: sweepId, warnings: { reported, lacking } }: Sweep): Change {
  return { kind: 'facts', sweepId, reported: [...reported], lacking };
}

/** Returns the number of trials of the sweep with a result. */
function resultsOf({ counts }: Sweep): number {
  return counts.succeeded + counts.stopped;
}

function hasResult({ state }: Trial): boolean {
  return state === 'succeeded' || state === 'stopped';
}

function keepResult(sweep: Sweep, { configId }: Trial, result: ReplicateResult): Change[] {
  const { policy, warnings } = sweep;
  const config = warnings.configs.get(configId);
  if (config !== undefined) addResult(config, result);
  if (policy.ranking.metric === '' || result.values.has(policy.ranking.metric)) return [];
  warnings.lacking += 1;
  return [factsOf(sweep)];
}

function addResult(config: ConfigResults, result: ReplicateResult): void {
  const digest = digestOf(result);
  config.digest = config.results === 0 || config.digest === digest ? digest : undefined;
  config.results += 1;
}

/** Counts a trial among the trials of its config. The result of an ended trial is not added. */
export function addToConfig(sweep: Sweep, { configId, state }: Trial): void {
  if (!tracksProgram(sweep)) return;
  const { configs } = sweep.warnings;
  const config = configs.get(configId) ?? { live: 0, results: 0, digest: undefined, isIdentical: false };
  configs.set(configId, config);
  if (!isFinal(state)) config.live += 1;
}

/** Updates the results of a trial's config when the trial changes its state. */
export function moveInConfig({ warnings }: Sweep, { configId, state: before }: Trial, after: TrialState): void {
  const config = warnings.configs.get(configId);
  if (config !== undefined) config.live += Number(isFinal(before)) - Number(isFinal(after));
}

/**
 * Removes the facts about a trial that has ended, and also the facts about the trial's config if all trials of the
 * config have ended.
 */
export function forgetTrial({ warnings }: Sweep, { id, configId }: Trial): void {
  warnings.values.delete(id);
  if (warnings.configs.get(configId)?.live === 0) warnings.configs.delete(configId);
}

/** The part of a trial's result that is compared with the results of other replicates. */
export interface ReplicateResult {
  readonly values: MetricValues;
  /** The digest of the reports of the attempt that ended the trial (curve-digest.ts). */
  readonly curve: CurveDigest;
}

/**
 * Returns a digest of the values and of the curve, because replicates with different curves can have equal final values, such as
 * an accuracy of 1. All values that are not finite count as equal, because the store does not distinguish them.
 */
function digestOf({ values, curve }: ReplicateResult): string | undefined {
  const entries = [...values].map(([name, { value }]) => [name, value] as const);
  if (!entries.some(([, value]) => Number.isFinite(value))) return undefined;
  const text = JSON.stringify([curve.sum, entries.sort(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(text).digest('base64').slice(0, 22);
}

function compareReplicates({ id: sweepId, warnings }: Sweep, configId: string): Change[] {
  const config = warnings.configs.get(configId);
  if (config === undefined) return [];
  const { live, results, digest } = config;
  const isIdentical = live === 0 && results >= 2 && digest !== undefined;
  if (isIdentical === config.isIdentical) return [];
  config.isIdentical = isIdentical;
  const { identical } = warnings;
  identical.count += isIdentical ? 1 : -1;
  if (!isIdentical) identical.examples.delete(configId);
  else if (identical.examples.size < IDENTICAL_EXAMPLES) identical.examples.set(configId, results);
  return [{ kind: 'identical', sweepId, configId, replicates: isIdentical ? results : 0 }];
}

function identicalReplicates({ warnings: { identical } }: Sweep): Omit<Warning, 'since'> | undefined {
  const { count, examples } = identical;
  if (count === 0) return undefined;
  const [example] = examples;
  const others = count - 1;
  const more = others === 0 ? '' : ` (and of ${others} other ${others === 1 ? 'config' : 'configs'})`;
  const whose =
    example === undefined
      ? `the replicates of ${count} configs`
      : `all ${example[1]} replicates of config ${example[0]}${more}`;
  return { message: `${whose} have identical results: the program may not use its seed`, count };
}

/** Restores the values that a trial without a result had reported. */
export function restoreValues({ warnings }: Sweep, { id }: Trial, values: MetricValues): void {
  if (values.size > 0) warnings.values.set(id, values);
}

/**
 * Restores the results of a config with trials in memory.
 * @param results the results of the config's trials
 * @param isIdentical whether the config counts as one with identical replicates
 */
export function restoreConfig(
  { warnings }: Sweep,
  configId: string,
  results: readonly ReplicateResult[],
  isIdentical: boolean,
): void {
  const config = warnings.configs.get(configId);
  if (config === undefined) return;
  Object.assign(config, { results: 0, digest: undefined, isIdentical });
  for (const result of results) addResult(config, result);
}

/** Restores the values that a speculative attempt reported before the coordinator started. */
export function restoreSpeculativeValues({ warnings }: Sweep, key: AttemptKey, values: MetricValues): void {
  if (values.size > 0) warnings.values.set(keyText(key), values);
}

/**
 * Restores the progress of a running attempt, after the warnings of its sweep. The time for which the program was
 * silent includes the downtime of the coordinator.
 */
export function restoreProgress(
  sweep: Sweep,
  lease: Pick<Lease, 'key' | 'agentId'>,
  progress: ReportProgress,
  now: number,
): void {
  if (!tracksProgram(sweep)) return;
  sweep.warnings.progress.set(keyText(lease.key), progress);
  if (sweep.warnings.shown.has('silent') && isSilent(sweep, progress, now)) markSilent(sweep, lease, progress);
}

export interface StoredWarnings {
  readonly shown: readonly (Warning & { readonly kind: WarningKindName })[];
  /** The newest notice count of each running attempt. */
  readonly notices: readonly { readonly key: AttemptKey; readonly kind: WarningKindName; readonly count: number }[];
  /** The sums of the last notice counts of ended attempts. */
  readonly endedNotices: readonly { readonly kind: WarningKindName; readonly count: number }[];
  readonly reported: readonly string[];
  readonly lacking: number;
  readonly identical: SweepWarnings['identical'];
}

/** Restores the warnings of a sweep. */
export function restoreWarnings(sweep: Sweep, stored: StoredWarnings): void {
  const { warnings } = sweep;
  for (const { kind, message, count, since } of stored.shown) warnings.shown.set(kind, { message, count, since });
  for (const { key, kind, count } of stored.notices) {
    noticesOf(sweep, kind).running.set(keyText(key), Math.max(1, count));
  }
  for (const { kind, count } of stored.endedNotices) noticesOf(sweep, kind).ended = count;
  for (const name of stored.reported) warnings.reported.add(name);
  warnings.lacking = stored.lacking;
  warnings.identical.count = stored.identical.count;
  for (const [configId, replicates] of stored.identical.examples) {
    warnings.identical.examples.set(configId, replicates);
  }
}
