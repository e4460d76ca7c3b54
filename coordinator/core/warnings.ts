/**
 * Detects problems that do not stop a sweep and that the user should learn about early. A sweep has at most one warning
 * of each kind. The message and the count of a warning are updated when the problem occurs again, and the warning is
 * removed when its cause disappears.
 */
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { type MetricValues, withReport } from '../../lib/domain/metric-values.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import type { WarningKindName } from '../../proto/names.ts';
import type { Lease } from './attempt-model.ts';
import { EMPTY_CURVE, withCurveReport } from './curve-digest.ts';
import { addReplicate, compareReplicates, identicalReplicates, type ReplicateResult } from './identical-replicates.ts';
import { addReported, countLacking, factsOf, missingMetric, STEPS_WITHOUT_METRIC } from './missing-metric.ts';
import { type Core, type Sweep, tracksProgram } from './model.ts';
import { type Change, NO_STEP, type Step, stepOf } from './step.ts';
import type { NoticeCounts, ReportProgress, SweepWarnings, Warning } from './sweep-observations.ts';
import type { Trial } from './trial-model.ts';

/**
 * The shortest silence after a report, in milliseconds, that can cause a warning. This is also the default limit for
 * the time until the first report.
 */
const SILENCE_MS = 5 * 60_000;
/**
 * A program counts as silent if its last report is older than this multiple of the longest interval between its
 * reports.
 */
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

/**
 * Records the grant of an attempt. If the attempt starts from scratch and is not speculative, discards the values that
 * earlier attempts of the trial reported.
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
 * Makes the values of a speculative attempt the values of its trial. The caller must call this function while both
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

/** Adds a step to the distinct steps of an attempt, unless STEPS_WITHOUT_METRIC steps are already kept. */
export function addStep({ steps }: ReportProgress, step: number): void {
  if (steps.size < STEPS_WITHOUT_METRIC) steps.add(step);
}

/** Records the end of one of the two attempts of a trial. */
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

/** Records the end of the last running attempt of a trial. The trial must already have its new state. */
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

/**
 * Records that a held trial was stopped. The digests of its curves were removed when its attempts ended. Its result
 * therefore has an empty curve, and can equal only the results of replicates that were also stopped while held.
 */
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
 * Finds running programs whose next report is overdue. For one lease duration after an outage of the coordinator, no
 * program counts as silent, because agents may still send reports from the time of the outage.
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
  /** The number of consecutive failures; 0 if the sampler works. */
  readonly failures: number;
}

/** Shows the warning that the sampler of a search fails, or removes this warning if the sampler works again. */
export function onSamplerProblem(core: Core, { sweepId, problem, failures }: SamplerProblem, now: number): Step {
  const sweep = core.sweeps.get(sweepId);
  if (sweep === undefined) return NO_STEP;
  return stepOf(show(sweep, 'sampler', failures === 0 ? undefined : { message: problem, count: failures }, now));
}

/**
 * Shows the warning that no child of a population could be created because no parent has a checkpoint, or removes this
 * warning.
 * @param problem undefined if the members could be replaced
 */
export function onComparison(sweep: Sweep, problem: string | undefined, now: number): Change[] {
  return show(sweep, 'no_checkpoint', problem === undefined ? undefined : { message: problem, count: 1 }, now);
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

function hasResult({ state }: Trial): boolean {
  return state === 'succeeded' || state === 'stopped';
}

function keepResult(sweep: Sweep, trial: Trial, result: ReplicateResult): Change[] {
  addReplicate(sweep, trial, result);
  return countLacking(sweep, result.values);
}

/**
 * Removes the facts about a trial that has ended, and also the facts about the trial's config if all trials of the
 * config have ended.
 */
export function forgetTrial({ warnings }: Sweep, { id, configId }: Trial): void {
  warnings.values.delete(id);
  if (warnings.configs.get(configId)?.live === 0) warnings.configs.delete(configId);
}

/** Restores the values that a trial without a result had reported. */
export function restoreValues({ warnings }: Sweep, { id }: Trial, values: MetricValues): void {
  if (values.size > 0) warnings.values.set(id, values);
}

/** Restores the values that a speculative attempt reported before the coordinator started. */
export function restoreSpeculativeValues({ warnings }: Sweep, key: AttemptKey, values: MetricValues): void {
  if (values.size > 0) warnings.values.set(keyText(key), values);
}

/**
 * Restores the progress of a running attempt. The warnings of its sweep must already be restored. The time for which
 * the program was silent includes the downtime of the coordinator.
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
