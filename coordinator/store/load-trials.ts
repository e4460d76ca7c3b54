/**
 * Loads trials from the store into memory: live trials when the coordinator starts, and ended trials that a user
 * retries.
 */
import type { Database } from 'libsql';
import type { FailureClassName } from '../../proto/names.ts';
import { parseParameters } from '../../proto/values.ts';
import type { AttributableClass, Checkpoint, FailedAttempt } from '../core/attempt-model.ts';
import { CURVE_REPORTS, type CurveDigest } from '../core/curve-digest.ts';
import { restoreConfig } from '../core/identical-replicates.ts';
import { type Sweep, tracksProgram } from '../core/model.ts';
import { ELSEWHERE_PATIENCE_MS } from '../core/placement.ts';
import { PARENT_ATTEMPT } from '../core/population.ts';
import { newTrial, type Trial, type TrialState } from '../core/trial-model.ts';
import { placeTrial } from '../core/trials.ts';
import { restoreValues } from '../core/warnings.ts';
import { loadResumableCurve, loadRungs } from './load-early-stopping.ts';
import { curveDigest, parseValues, type ReportColumns } from './rows.ts';

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
 * memory are skipped. All earlier changes must be durable before this call.
 * @returns the loaded trials
 */
export function loadTrials(db: Database, sweep: Sweep, ids: readonly string[], now: number): Trial[] {
  const absent = ids.filter((id) => !sweep.trials.has(id));
  if (absent.length === 0) return [];
  const list = JSON.stringify(absent);
  const rows = db
    .prepare(
      `select t.id, idx, config_id, seed, state, attempts, failure_class, parameters, metrics, metric_steps,
         dropped_in, t.parent, compared_at
       from json_each(?2) as wanted cross join trials as t where sweep_id = ?1 and t.id = wanted.value order by idx`,
    )
    .all(sweep.id, list) as TrialColumns[];
  const failedAttempts = loadFailedAttempts(db, sweep.id, list);
  const speculated = loadSpeculated(db, sweep.id, list);
  const rungs = loadRungs(db, sweep, list);
  const failures = loadFailures(db, sweep.id, list);
  const checkpoints = loadCheckpoints(db, sweep.id, list);
  const trials: Trial[] = [];
  for (const row of rows) {
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
      failures: failures.get(row.id) ?? {},
      failedAttempts: failedAttempts.get(row.id) ?? [],
      avoidUntil: failedAttempts.has(row.id) ? now + ELSEWHERE_PATIENCE_MS : 0,
      failure: row.failure_class ?? undefined,
      offeredAt: now,
      checkpoint: checkpoints.get(row.id),
      dropped: row.dropped_in > 0,
      speculated: speculated.has(row.id),
    };
    placeTrial(sweep, trial);
    const { checkpoint } = trial;
    if (checkpoint !== undefined && checkpoint.attempt !== PARENT_ATTEMPT) {
      loadResumableCurve(db, sweep, trial.id, checkpoint);
    }
    if (tracksProgram(sweep)) restoreValues(sweep, trial, parseValues(row));
    trials.push(trial);
  }
  if (tracksProgram(sweep)) loadConfigs(db, sweep, new Set(trials.map(({ configId }) => configId)));
  return trials;
}

/** Returns an SQL condition that excludes attempts before the last manual retry of their trial. */
export function sinceRetry(alias: string): string {
  return `${alias}.number > coalesce((select max(attempts) from retries as r
    where r.sweep_id = ${alias}.sweep_id and r.trial_id = ${alias}.trial_id), 0)`;
}

/** The attempts of the listed trials since the last manual retry of each trial; the list is JSON. */
const ATTEMPTS_SINCE_RETRY = `json_each(?2) as wanted cross join attempts as a
  where a.sweep_id = ?1 and a.trial_id = wanted.value and ${sinceRetry('a')}`;

const IS_ATTRIBUTABLE = "a.outcome = 'failed' and a.failure_class in ('oom', 'crash', 'timeout', 'preflight')";

function loadFailedAttempts(db: Database, sweepId: string, list: string): Map<string, FailedAttempt[]> {
  const rows = db
    .prepare(
      `select a.trial_id, a.agent_id, a.failure_class as class, a.early, a.free from ${ATTEMPTS_SINCE_RETRY}
         and ${IS_ATTRIBUTABLE} order by a.trial_id, a.number`,
    )
    .all(sweepId, list) as {
    trial_id: string;
    agent_id: string;
    class: AttributableClass;
    early: number;
    free: number;
  }[];
  const byTrial = new Map<string, FailedAttempt[]>();
  for (const row of rows) {
    const failed = { agentId: row.agent_id, class: row.class, early: row.early > 0, free: row.free > 0 };
    const same = byTrial.get(row.trial_id);
    if (same === undefined) byTrial.set(row.trial_id, [failed]);
    else same.push(failed);
  }
  return byTrial;
}

/** Returns the number of failures that count against the retry budget, by trial and class. */
function loadFailures(db: Database, sweepId: string, list: string): Map<string, Trial['failures']> {
  const rows = db
    .prepare(
      `select a.trial_id, a.failure_class as class, count(*) as n from ${ATTEMPTS_SINCE_RETRY}
         and a.outcome = 'failed' and a.free = 0 group by a.trial_id, a.failure_class`,
    )
    .all(sweepId, list) as { trial_id: string; class: FailureClassName; n: number }[];
  const byTrial = new Map<string, Trial['failures']>();
  for (const row of rows) byTrial.set(row.trial_id, { ...byTrial.get(row.trial_id), [row.class]: row.n });
  return byTrial;
}

/** Returns the trials that already had a speculative attempt. */
function loadSpeculated(db: Database, sweepId: string, list: string): Set<string> {
  const rows = db
    .prepare(`select distinct a.trial_id as id from ${ATTEMPTS_SINCE_RETRY} and a.speculative > 0`)
    .all(sweepId, list) as { id: string }[];
  return new Set(rows.map(({ id }) => id));
}

function loadCheckpoints(db: Database, sweepId: string, list: string): Map<string, Checkpoint> {
  const rows = db
    .prepare(
      `select trial_id as trialId, attempt, name, kind, epoch, size, sha256
       from json_each(?2) as wanted cross join artifacts
       where sweep_id = ?1 and trial_id = wanted.value and kind = 'checkpoint'`,
    )
    .all(sweepId, list) as (Checkpoint & { trialId: string })[];
  return new Map(rows.map(({ trialId, ...checkpoint }) => [trialId, checkpoint]));
}

/** Returns a function that reads the digest of the reports of the attempt that provided the result of a trial. */
function curveReader(db: Database): (sweepId: string, trialId: string) => CurveDigest {
  const select = db.prepare(
    `select r.epoch, r.metrics from attempts as a cross join reports as r
     where a.sweep_id = ?1 and a.trial_id = ?2 and a.outcome in ('succeeded', 'stopped')
       and r.sweep_id = ?1 and r.trial_id = ?2 and r.attempt = a.number
     order by r.seq limit ${CURVE_REPORTS}`,
  );
  return (sweepId, trialId) => curveDigest(select.all(sweepId, trialId) as ReportColumns[]);
}

/** Loads the results of configs with trials in memory, so that their replicates can be compared. */
function loadConfigs(db: Database, sweep: Sweep, configIds: ReadonlySet<string>): void {
  const select = db.prepare(
    `select id, metrics, metric_steps from trials indexed by trials_by_config
     where sweep_id = ? and config_id = ? and state in ('succeeded', 'stopped')`,
  );
  const isIdentical = db.prepare('select 1 as found from identical_configs where sweep_id = ? and config_id = ?');
  const curveOf = curveReader(db);
  for (const configId of configIds) {
    const rows = select.all(sweep.id, configId) as Pick<TrialColumns, 'id' | 'metrics' | 'metric_steps'>[];
    const results = rows.map((row) => ({ values: parseValues(row), curve: curveOf(sweep.id, row.id) }));
    restoreConfig(sweep, configId, results, isIdentical.get(sweep.id, configId) !== undefined);
  }
}
