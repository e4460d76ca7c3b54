/**
 * Loads trials from the store into memory: live trials when the coordinator starts, and ended trials that a user
 * retries.
 */
import { group } from 'd3-array';
import type { FailureClassName } from '../../proto/names.ts';
import { parseParameters } from '../../proto/values.ts';
import type { AttributableClass, Checkpoint, FailedAttempt } from '../core/attempt-model.ts';
import { CURVE_REPORTS, type CurveDigest, EMPTY_CURVE } from '../core/curve-digest.ts';
import { type ReplicateResult, restoreConfig } from '../core/identical-replicates.ts';
import { type Sweep, tracksProgram } from '../core/model.ts';
import { ELSEWHERE_PATIENCE_MS } from '../core/placement.ts';
import { PARENT_ATTEMPT } from '../core/population.ts';
import { newTrial, type Trial, type TrialState } from '../core/trial-model.ts';
import { placeTrial } from '../core/trials.ts';
import { restoreValues } from '../core/warnings.ts';
import { rowsOfIds } from './dialect.ts';
import { loadRungs, resumableCurves } from './load-early-stopping.ts';
import { reportsOf } from './load-reports.ts';
import type { Reader } from './reader.ts';
import { curveDigest, parseValues } from './rows.ts';

interface TrialColumns {
  readonly id: string;
  readonly idx: number;
  readonly config_id: string;
  readonly seed: number;
  readonly state: TrialState;
  readonly attempts: number;
  readonly failure_class: FailureClassName | null;
  readonly parameters: string;
  readonly metrics: string;
  readonly metric_steps: string;
  readonly dropped_in: number;
  readonly parent: string;
  readonly compared_at: number;
}

/**
 * Loads trials without their leases. The counts of the sweep already include these trials. Trials that are already in
 * memory are skipped. All earlier changes must be durable before this call. The function changes the sweep only after
 * its last read, so that other changes to the sweep may happen during the reads.
 * @returns the loaded trials
 */
export async function loadTrials(reader: Reader, sweep: Sweep, ids: readonly string[], now: number): Promise<Trial[]> {
  const absent = ids.filter((id) => !sweep.trials.has(id));
  if (absent.length === 0) return [];
  const list = rowsOfIds(absent);
  const rows = await reader.all<TrialColumns>(
    `select t.id, idx, config_id, seed, state, attempts, failure_class, parameters, metrics, metric_steps,
       dropped_in, t.parent, compared_at
     from ${reader.dialect.rows('?2', 'wanted')} cross join trials as t
     where sweep_id = ?1 and t.id = wanted.value ->> 0 order by idx`,
    sweep.id,
    list,
  );
  const failedAttempts = await loadFailedAttempts(reader, sweep.id, list);
  const speculated = await loadSpeculated(reader, sweep.id, list);
  const rungs = await loadRungs(reader, sweep, absent);
  const failures = await loadFailures(reader, sweep.id, list);
  const checkpoints = await loadCheckpoints(reader, sweep.id, list);
  const resumable = [...checkpoints]
    .filter(([, { attempt }]) => attempt !== PARENT_ATTEMPT)
    .map(([id, checkpoint]) => ({ id, checkpoint }));
  const curves = await resumableCurves(reader, sweep, resumable);
  const configIds = tracksProgram(sweep) ? new Set(rows.map((row) => row.config_id)) : [];
  const configs = await readConfigs(reader, sweep.id, [...configIds]);

  const trials: Trial[] = [];
  for (const row of rows) {
    if (sweep.trials.has(row.id)) continue;
    const parameters = parseParameters(row.parameters);
    const planned = { trialId: row.id, index: row.idx, configId: row.config_id, seed: row.seed, parameters };
    const trial: Trial = {
      ...newTrial(sweep.policy, planned),
      state: row.state,
      rung: row.compared_at,
      promotedFrom: row.compared_at,
      ...rungs.get(row.id),
      parent: row.parent || undefined,
      attempts: row.attempts,
      failures: failures.get(row.id)?.charged ?? {},
      freeLosses: failures.get(row.id)?.free.lost ?? 0,
      failedAttempts: failedAttempts.get(row.id) ?? [],
      avoidUntil: failedAttempts.has(row.id) ? now + ELSEWHERE_PATIENCE_MS : 0,
      failure: row.failure_class ?? undefined,
      offeredAt: now,
      checkpoint: checkpoints.get(row.id),
      dropped: row.dropped_in > 0,
      speculated: speculated.has(row.id),
    };
    placeTrial(sweep, trial);
    const curve = curves.get(row.id);
    if (curve !== undefined) sweep.earlyStopping?.resumable.set(row.id, curve);
    if (tracksProgram(sweep)) restoreValues(sweep, trial, parseValues(row));
    trials.push(trial);
  }
  for (const { configId, replicates, areIdentical } of configs) {
    // If more results are in memory than were read, a replicate has ended during the reads, and memory is up to date.
    const inMemory = sweep.warnings.configs.get(configId)?.results ?? 0;
    if (inMemory <= replicates.length) restoreConfig(sweep, configId, replicates, areIdentical);
  }
  return trials;
}

/** Returns an SQL condition that excludes attempts before the last manual retry of their trial. */
export function sinceRetry(alias: string): string {
  return `${alias}.number > coalesce((select max(attempts) from retries as r
    where r.sweep_id = ${alias}.sweep_id and r.trial_id = ${alias}.trial_id), 0)`;
}

/**
 * Returns the tables and the conditions that select the attempts of the listed trials since the last manual retry of
 * each trial. The list is the second parameter.
 */
function attemptsSinceRetry({ dialect }: Reader): string {
  return `${dialect.rows('?2', 'wanted')} cross join attempts as a
    where a.sweep_id = ?1 and a.trial_id = wanted.value ->> 0 and ${sinceRetry('a')}`;
}

const IS_ATTRIBUTABLE = "a.outcome = 'failed' and a.failure_class in ('oom', 'crash', 'timeout', 'preflight')";

async function loadFailedAttempts(
  reader: Reader,
  sweepId: string,
  list: string,
): Promise<Map<string, FailedAttempt[]>> {
  const rows = await reader.all<{
    trialId: string;
    agentId: string;
    class: AttributableClass;
    early: number;
    free: number;
  }>(
    `select a.trial_id as "trialId", a.agent_id as "agentId", a.failure_class as class, a.early, a.free
     from ${attemptsSinceRetry(reader)} and ${IS_ATTRIBUTABLE} order by a.trial_id, a.number`,
    sweepId,
    list,
  );
  const byTrial = new Map<string, FailedAttempt[]>();
  for (const { trialId, early, free, ...row } of rows) {
    const failed = { ...row, early: early > 0, free: free > 0 };
    const same = byTrial.get(trialId);
    if (same === undefined) byTrial.set(trialId, [failed]);
    else same.push(failed);
  }
  return byTrial;
}

interface FailureCounts {
  /** The failures that count against the retry budget, by class. */
  charged: Trial['failures'];
  /** The other failures, by class. */
  free: Trial['failures'];
}

async function loadFailures(reader: Reader, sweepId: string, list: string): Promise<Map<string, FailureCounts>> {
  const rows = await reader.all<{ trialId: string; class: FailureClassName; free: number; n: number }>(
    `select a.trial_id as "trialId", a.failure_class as class, a.free, count(*) as n from ${attemptsSinceRetry(reader)}
       and a.outcome = 'failed' group by a.trial_id, a.failure_class, a.free`,
    sweepId,
    list,
  );
  const byTrial = new Map<string, FailureCounts>();
  for (const { trialId, class: failure, free, n } of rows) {
    const counts = byTrial.get(trialId) ?? { charged: {}, free: {} };
    byTrial.set(trialId, counts);
    const kind = free > 0 ? counts.free : counts.charged;
    kind[failure] = n;
  }
  return byTrial;
}

/** Returns the trials that have had a speculative attempt since their last manual retry. */
async function loadSpeculated(reader: Reader, sweepId: string, list: string): Promise<Set<string>> {
  const rows = await reader.all<{ id: string }>(
    `select distinct a.trial_id as id from ${attemptsSinceRetry(reader)} and a.speculative > 0`,
    sweepId,
    list,
  );
  return new Set(rows.map(({ id }) => id));
}

async function loadCheckpoints(reader: Reader, sweepId: string, list: string): Promise<Map<string, Checkpoint>> {
  const rows = await reader.all<Checkpoint & { trialId: string }>(
    `select trial_id as "trialId", attempt, name, kind, epoch, size, sha256
     from ${reader.dialect.rows('?2', 'wanted')} cross join artifacts
     where sweep_id = ?1 and trial_id = wanted.value ->> 0 and kind = 'checkpoint'
     order by trial_id, attempt, name`,
    sweepId,
    list,
  );
  return new Map(rows.map(({ trialId, ...checkpoint }) => [trialId, checkpoint]));
}

/** The maximum number of configs whose results are read together. */
const CONFIGS_PER_READ = 1_000;

interface ConfigResult {
  readonly configId: string;
  readonly trialId: string;
  readonly metrics: string;
  readonly metric_steps: string;
}

interface LoadedConfig {
  readonly configId: string;
  readonly replicates: readonly ReplicateResult[];
  readonly areIdentical: boolean;
}

/** Reads the results of configs, so that their replicates can be compared. */
async function readConfigs(reader: Reader, sweepId: string, configIds: readonly string[]): Promise<LoadedConfig[]> {
  const configs: LoadedConfig[] = [];
  for (let at = 0; at < configIds.length; at += CONFIGS_PER_READ) {
    const batch = configIds.slice(at, at + CONFIGS_PER_READ);
    const list = rowsOfIds(batch);
    const results = await reader.all<ConfigResult>(
      `select t.config_id as "configId", t.id as "trialId", t.metrics, t.metric_steps
       from ${reader.dialect.rows('?2', 'wanted')} cross join trials as t ${reader.dialect.index('trials_by_config')}
       where t.sweep_id = ?1 and t.config_id = wanted.value ->> 0 and t.state in ('succeeded', 'stopped')`,
      sweepId,
      list,
    );
    const identical = await reader.all<{ readonly configId: string }>(
      `select config_id as "configId" from ${reader.dialect.rows('?2', 'wanted')} cross join identical_configs
       where sweep_id = ?1 and config_id = wanted.value ->> 0`,
      sweepId,
      list,
    );
    const identicalIds = new Set(identical.map(({ configId }) => configId));
    const curves = await curvesOfResults(
      reader,
      sweepId,
      results.map(({ trialId }) => trialId),
    );
    const byConfig = group(results, ({ configId }) => configId);
    for (const configId of batch) {
      const replicates = (byConfig.get(configId) ?? []).map((row) => {
        return { values: parseValues(row), curve: curves.get(row.trialId) ?? EMPTY_CURVE };
      });
      configs.push({ configId, replicates, areIdentical: identicalIds.has(configId) });
    }
  }
  return configs;
}

/** Returns, for each trial, the digest of the curve of the attempt that provided the trial's result. */
async function curvesOfResults(
  reader: Reader,
  sweepId: string,
  trialIds: readonly string[],
): Promise<Map<string, CurveDigest>> {
  if (trialIds.length === 0) return new Map();
  const attempts = await reader.all<{ trialId: string; attempt: number; reports: number }>(
    `select a.trial_id as "trialId", a.number as attempt, (
       select count(*) from reports as r
       where r.sweep_id = a.sweep_id and r.trial_id = a.trial_id and r.attempt = a.number) as reports
     from ${reader.dialect.rows('?2', 'wanted')} cross join attempts as a
     where a.sweep_id = ?1 and a.trial_id = wanted.value ->> 0 and a.outcome in ('succeeded', 'stopped')`,
    sweepId,
    rowsOfIds(trialIds),
  );
  const digests = new Map<string, CurveDigest>();
  for await (const [{ trialId }, reports] of reportsOf(reader, sweepId, attempts, {
    end: 'first',
    limit: CURVE_REPORTS,
  })) {
    digests.set(trialId, curveDigest(reports));
  }
  return digests;
}
