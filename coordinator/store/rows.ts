/** Defines the rows of the store's tables, and converts them to wire messages. */

import { type MetricValues, type RankingRule, withReport } from '../../lib/domain/metric-values.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { toWire } from '../../lib/domain/parameters.ts';
import { NO_SLOT_TIME } from '../../lib/domain/slot-time.ts';
import { noCounts } from '../../lib/domain/trial-state.ts';
import {
  type Artifact,
  type Attempt,
  type Failure,
  MetricAt,
  type Report,
  type Source,
  type Sweep,
  type Trial,
  type TrialCounts,
} from '../../proto/gen/trawl/v1/types.ts';
import {
  type ArtifactKindName,
  type AttemptOutcomeName,
  artifactKind,
  attemptOutcome,
  type FailureClassName,
  failureClass,
  type GoalName,
  goal,
  type SweepStateName,
  sweepState,
  type TrialStateName,
  trialState,
  type WarningKindName,
  warningKind,
} from '../../proto/names.ts';
import { parseParameters } from '../../proto/values.ts';
import { type CurveDigest, EMPTY_CURVE, withCurveReport } from '../core/curve-digest.ts';
import type { SweepPolicy } from '../core/policy.ts';
import { isFinal } from '../core/trial-model.ts';
import type { SourceState } from '../search/trial-source.ts';

export interface SweepRow {
  readonly id: number;
  readonly name: string;
  readonly fingerprint: string;
  readonly version: number;
  readonly file_name: string;
  readonly text: string;
  readonly trainer: string;
  readonly metric: string;
  readonly goal: GoalName;
  readonly axes: string;
  readonly configs: number;
  readonly replicates: number;
  readonly excluded: number;
  readonly state: SweepStateName;
  readonly reason: string;
  readonly created_at: number;
  readonly ended_at: number;
  readonly state_at: number;
  readonly state_by: string;
  readonly priority: number;
  readonly policy: string;
  /** Null if the search has no limit. */
  readonly planned: number | null;
  /** The value is 1 while further trials can be created. */
  readonly searching: number;
  readonly slot_ms: number;
  readonly gpu_ms: number;
  readonly submitted_by: string;
  /** The state of the source of trials as JSON. Null if an older version of trawl created the sweep. */
  readonly search: string | null;
}

export interface StateCountRow {
  readonly state: TrialStateName;
  readonly n: number;
}

export interface WarningRow {
  readonly kind: WarningKindName;
  readonly message: string;
  readonly count: number;
  readonly since: number;
}

export function sweepOf(
  row: SweepRow,
  created: readonly StateCountRow[],
  dropped: readonly StateCountRow[],
  warnings: readonly WarningRow[],
): Sweep {
  const policy: SweepPolicy = JSON.parse(row.policy);
  const counts = countsOf(created, dropped);
  return {
    id: `${row.id}`,
    name: row.name,
    state: sweepState.to(row.state),
    reason: row.reason,
    trainer: row.trainer,
    metric: {
      name: row.metric,
      goal: goal.to(row.goal),
      at: policy.ranking.at === 'best' ? MetricAt.BEST : MetricAt.LAST,
      target: policy.target,
    },
    objectives: (policy.objectives ?? []).map(({ name, goal: direction }) => {
      return { name, goal: goal.to(direction), at: MetricAt.LAST, target: undefined };
    }),
    counts,
    configs: row.configs,
    replicates: row.replicates,
    excluded: Math.max(row.excluded, droppedByRules(row)),
    planned: row.planned ?? undefined,
    searching: row.searching > 0,
    plannedAtMost: row.searching > 0 && policy.plannedAtMost === true,
    createdAtMs: row.created_at,
    endedAtMs: row.ended_at,
    stateSinceMs: row.state_at || row.created_at,
    stateBy: row.state_by,
    blocked: '',
    timeLeft: undefined,
    slotTimeLeft: undefined,
    slotShare: undefined,
    slotTime: { ...NO_SLOT_TIME, slotMs: row.slot_ms, gpuMs: row.gpu_ms },
    submittedBy: row.submitted_by,
    concurrency: policy.concurrency ?? 0,
    fingerprint: row.fingerprint,
    version: row.version,
    axes: JSON.parse(row.axes),
    priority: row.priority,
    weight: policy.weight,
    warnings: warnings.map(({ kind, message, count, since }) => {
      return { kind: warningKind.to(kind), message, count, sinceMs: since };
    }),
  };
}

/** Counts the created trials of a sweep. Dropped trials that have ended count only as dropped. */
function countsOf(created: readonly StateCountRow[], dropped: readonly StateCountRow[]): TrialCounts {
  const counts = noCounts();
  for (const { state, n } of created) counts[state] = n;
  for (const { state, n } of dropped) {
    if (state === 'interrupted' || !isFinal(state)) continue;
    counts[state] -= n;
    counts.dropped += n;
  }
  return counts;
}

/**
 * Returns the number of points of a search that its rules have dropped so far. The points that a grid drops are counted
 * when the sweep is submitted.
 */
function droppedByRules({ search }: Pick<SweepRow, 'search'>): number {
  if (search === null) return 0;
  const { excluded }: Pick<SourceState, 'excluded'> = JSON.parse(search);
  return excluded.reduce((sum, count) => sum + count, 0);
}

interface FailureColumns {
  readonly failure_class: FailureClassName | null;
  readonly failure_message: string | null;
}

function failureOf({ failure_class, failure_message }: FailureColumns): Failure | undefined {
  if (failure_class === null) return undefined;
  return { class: failureClass.to(failure_class), message: failure_message ?? '' };
}

export interface TrialRow extends FailureColumns {
  readonly sweep_id: number;
  readonly id: string;
  readonly idx: number;
  readonly config_id: string;
  readonly seed: number;
  readonly parameters: string;
  readonly state: TrialStateName;
  readonly attempts: number;
  readonly agent_id: string;
  readonly backend: string;
  readonly epoch: number;
  readonly metrics: string;
  readonly metric_steps: string;
  readonly started_at: number;
  readonly ended_at: number;
  readonly stop_reason: string;
  readonly leased_ms: number;
  /** The number of the version that dropped the trial's point; 0 if the current version has the point. */
  readonly dropped_in: number;
  /** Empty if the trial started from scratch. */
  readonly parent: string;
  readonly parent_epoch: number;
  readonly replaces: string;
}

/** The columns of a trial that determine its rank. */
export type TrialResult = Pick<Trial, 'index' | 'state' | 'metrics' | 'droppedIn'>;

export function trialResultOf({
  idx,
  state,
  metrics,
  dropped_in,
}: Pick<TrialRow, 'idx' | 'state' | 'metrics' | 'dropped_in'>): TrialResult {
  return {
    index: idx,
    state: trialState.to(state),
    metrics: parseMetrics(metrics),
    droppedIn: dropped_in || undefined,
  };
}

export function trialOf(row: TrialRow): Trial {
  return {
    sweepId: `${row.sweep_id}`,
    id: row.id,
    configId: row.config_id,
    index: row.idx,
    seed: row.seed,
    parameters: toWire(parseParameters(row.parameters)),
    state: trialState.to(row.state),
    attempts: row.attempts,
    agentId: row.agent_id,
    backend: row.backend,
    failure: failureOf(row),
    epoch: row.epoch,
    metrics: parseMetrics(row.metrics),
    metricSteps: JSON.parse(row.metric_steps),
    startedAtMs: row.started_at,
    endedAtMs: row.ended_at,
    stopReason: row.stop_reason,
    leasedMs: row.leased_ms,
    droppedIn: row.dropped_in || undefined,
    origin: row.parent === '' ? undefined : { parent: row.parent, epoch: row.parent_epoch, replaces: row.replaces },
    rank: 0,
  };
}

export interface AttemptRow extends FailureColumns {
  readonly number: number;
  readonly agent_id: string;
  readonly slot: number;
  readonly backend: string;
  readonly granted_at: number;
  readonly ended_at: number;
  readonly outcome: AttemptOutcomeName | null;
  readonly resumed_from: number;
  /**
   * 0 if the attempt is not speculative. For a speculative attempt, 1 if another attempt provides the trial's results,
   * and 2 if this attempt provides them.
   */
  readonly speculative: number;
}

export function attemptOf(row: AttemptRow): Attempt {
  return {
    number: row.number,
    agentId: row.agent_id,
    slot: row.slot,
    backend: row.backend,
    grantedAtMs: row.granted_at,
    startedAtMs: 0,
    queued: false,
    endedAtMs: row.ended_at,
    resumedFrom: row.resumed_from,
    speculative: row.speculative > 0,
    hidden: row.speculative === 1,
    outcome: row.outcome === null ? 'ATTEMPT_OUTCOME_UNSPECIFIED' : attemptOutcome.to(row.outcome),
    failure: failureOf(row),
  };
}

export interface ReportRow {
  readonly trial_id: string;
  readonly attempt: number;
  readonly epoch: number;
  readonly at: number;
  readonly metrics: string;
}

export function reportOf(row: ReportRow): Report {
  return { attempt: row.attempt, epoch: row.epoch, atMs: row.at, metrics: parseMetrics(row.metrics) };
}

export interface ArtifactRow {
  readonly trial_id: string;
  readonly attempt: number;
  readonly name: string;
  readonly kind: ArtifactKindName;
  readonly epoch: number;
  readonly size: number;
  readonly sha256: string;
  readonly at: number;
}

export function artifactOf({ attempt, name, kind, epoch, size, sha256, at: atMs }: ArtifactRow): Artifact {
  return { attempt, name, kind: artifactKind.to(kind), epoch, size, sha256, atMs };
}

export interface ProgramRow {
  readonly attempt: number;
  /** The program and its arguments, as a JSON list. */
  readonly command: string;
  readonly interpreter: string;
  readonly python: string;
  readonly packages: string;
}

export interface EnvironmentRow {
  readonly sha256: string;
  readonly python: string;
  readonly packages: string;
  readonly attempts: number;
}

export interface SourceRow {
  readonly sha256: string;
  readonly size: number;
  readonly files: number;
  readonly git: string;
  readonly diff: string;
}

export function sourceOf({ sha256, size, files, git, diff }: SourceRow): Source {
  return { archive: { sha256, size }, files, git: JSON.parse(git) ?? undefined, diff };
}

/** Converts metrics to JSON. NaN is encoded as null, and infinity as a number beyond the range of a double. */
export function metricsJson(metrics: Iterable<readonly [string, number]>): string {
  return `{${[...metrics].map(([name, value]) => `${JSON.stringify(name)}:${numberJson(value)}`).join(',')}}`;
}

function numberJson(value: number): string {
  if (Number.isFinite(value)) return JSON.stringify(value);
  return Number.isNaN(value) ? 'null' : `${value < 0 ? '-' : ''}1e999`;
}

/** Parses metrics. Older versions of trawl encoded infinity as null. */
export function parseMetrics(json: string): Record<string, number> {
  const values = Object.entries(JSON.parse(json) as Record<string, number | null>);
  return Object.fromEntries(values.map(([name, value]) => [name, value ?? Number.NaN]));
}

/** Reads the column `search` of a sweep. */
export function parseSourceState(json: string): SourceState {
  const { config, ...state } = JSON.parse(json) as SourceState;
  if (config === undefined) return state;
  return { ...state, config: { ...config, parameters: parseParameters(JSON.stringify(config.parameters)) } };
}

/** Reads the columns `metrics` and `metric_steps` of a trial. */
export function parseValues(row: { readonly metrics: string; readonly metric_steps: string }): MetricValues {
  const steps: Record<string, number> = JSON.parse(row.metric_steps);
  const metrics = Object.entries(parseMetrics(row.metrics));
  return new Map(metrics.map(([name, value]) => [name, { value, step: ownValue(steps, name) ?? 0 }]));
}

/** Returns the columns `metrics` and `metric_steps` of a trial. */
export function valueColumns(values: MetricValues): { readonly metrics: string; readonly metric_steps: string } {
  const entries = [...values];
  return {
    metrics: metricsJson(entries.map(([name, { value }]) => [name, value])),
    metric_steps: JSON.stringify(Object.fromEntries(entries.map(([name, { step }]) => [name, step]))),
  };
}

export interface ReportColumns {
  readonly epoch: number;
  readonly metrics: string;
}

/** Returns the metric values that result from the given reports. The reports must be in order of arrival. */
export function foldReports(rows: readonly ReportColumns[], rule: RankingRule | undefined): MetricValues {
  let values: MetricValues = new Map();
  for (const { epoch, metrics } of rows) {
    values = withReport(values, epoch, Object.entries(parseMetrics(metrics)), rule);
  }
  return values;
}

/** Returns the digest of the curve that the given reports form. */
export function curveDigest(rows: readonly ReportColumns[]): CurveDigest {
  return rows.reduce<CurveDigest>(
    (digest, { epoch, metrics }) => withCurveReport(digest, epoch, parseMetrics(metrics)),
    EMPTY_CURVE,
  );
}
