/** Loads the live sweeps from the store into memory at the start. */

import type { Database } from 'libsql';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import type { MetricValues } from '../../lib/domain/metric-values.ts';
import { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName, WarningKindName } from '../../proto/names.ts';
import { parseParameters } from '../../proto/values.ts';
import type { AttributableClass, Checkpoint, FailedAttempt, SlotUsage } from '../core/attempt-model.ts';
import { errorOf, MAX_STREAK, recordOf } from '../core/attribution.ts';
import { newTrial } from '../core/create-trials.ts';
import { addLease } from '../core/leases.ts';
import { type Core, type CreationWindow, newCore, type Sweep, type SweepState } from '../core/model.ts';
import { ELSEWHERE_PATIENCE_MS } from '../core/placement.ts';
import type { SweepPolicy } from '../core/policy.ts';
import { probeDelayMs } from '../core/quarantine.ts';
import { beginSlotUsage } from '../core/share.ts';
import { recordDuration } from '../core/stragglers.ts';
import type { StreakFailure, Warning } from '../core/sweep-observations.ts';
import { newSweep } from '../core/sweeps.ts';
import type { Trial, TrialState } from '../core/trial-model.ts';
import { addTrial } from '../core/trials.ts';
import {
  restoreProgress,
  restoreSpeculativeValues,
  restoreValues,
  restoreWarnings,
  type StoredWarnings,
  tracksProgram,
} from '../core/warnings.ts';
import { parseSourceState } from '../grid/trials.ts';
import type { TrialSource } from '../search/trial-source.ts';
import { loadAgents, loadDrains, loadQuarantines } from './load-agents.ts';
import { loadCurve, loadResumableCurve, loadRungs } from './load-early-stopping.ts';
import { loadLeases, loadProgress } from './load-leases.ts';
import { foldReports, parseValues, type ReportColumns } from './rows.ts';

/** Opens the source of the trials that a sweep has not created yet. */
export type OpenSource = (sweep: {
  readonly id: string;
  readonly text: string;
  readonly fileName: string;
}) => TrialSource;

/** A source that yields no trial. */
const NO_SOURCE: OpenSource = () => ({ usesResults: false, next: () => ({ kind: 'wait' }) });

/**
 * Loads the core. Leases of running attempts are extended to their full duration from now, because no heartbeat could
 * arrive while the coordinator was down. Delays before a retry are not stored, so retries are due immediately.
 * @param openSource opens the sources of the sweeps whose trials are not all created. Default: no further trials are
 * created
 */
export function loadCore(
  db: Database,
  leaseMs: number,
  now: number,
  openSource: OpenSource = NO_SOURCE,
  creationWindow?: CreationWindow,
): Core {
  const core = newCore(leaseMs, now, creationWindow);
  core.listeningSince = now;
  const rows = db
    .prepare("select id from sweeps where state in ('running', 'paused', 'stopping') order by id")
    .all() as { id: number }[];
  for (const { id } of rows) {
    const sweep = loadSweep(db, `${id}`, now, openSource);
    // The sweep had demand before the restart, so it must not be treated like a sweep that gains demand.
    sweep.share.hasDemand = true;
    const usages = new Map<string, SlotUsage>();
    for (const lease of loadLeases(db, sweep.id, leaseMs, now)) {
      const trial = sweep.trials.get(lease.key.trialId);
      if (trial === undefined) continue;
      const known = usages.get(lease.pack);
      if (known !== undefined) known.leases += 1;
      const usage = known ?? beginSlotUsage(sweep, now);
      usages.set(lease.pack, usage);
      addLease(core, sweep, trial, { ...lease, usage });
      loadCurve(db, sweep, lease);
      if (lease.straggler !== undefined) sweep.warnings.stragglers.set(keyText(lease.key), lease.straggler);
      if (!tracksProgram(sweep)) continue;
      restoreProgress(sweep, lease, loadProgress(db, lease, now), now);
      if (trial.speculation?.key === lease.key)
        restoreSpeculativeValues(sweep, lease.key, loadValues(db, sweep, lease.key));
    }
    core.sweeps.set(sweep.id, sweep);
  }
  for (const { agentId, graceLeftMs, ...drain } of loadDrains(db)) {
    core.drains.set(agentId, { graceEndsAt: now + graceLeftMs, storedAt: now, ...drain });
  }
  for (const { agentId, ...quarantine } of loadQuarantines(db)) {
    // If the clock was set back, a probe must still be recognized by the time of its grant.
    const since = Math.min(quarantine.since, now - 1);
    core.quarantines.set(agentId, { ...quarantine, since, probeAt: now + probeDelayMs(quarantine.failedProbes) });
  }
  for (const [id, facts] of loadAgents(db)) core.pastAgents.set(id, facts);
  return core;
}

/** Returns a stored policy. Adds the settings of programs that did not exist when the policy was stored. */
function policyOf(text: string): SweepPolicy {
  const policy: SweepPolicy = JSON.parse(text);
  return { ...policy, program: policy.program && ProgramSpec.fromPartial(policy.program) };
}

interface SweepColumns {
  readonly state: SweepState;
  readonly policy: string;
  readonly priority: number;
  readonly text: string;
  readonly fileName: string;
  readonly planned: number | null;
  readonly searching: number;
  readonly search: string | null;
}

/** Loads a sweep without leases. A sweep that has ended creates no more trials. */
export function loadSweep(db: Database, id: string, now: number, openSource: OpenSource = NO_SOURCE): Sweep {
  const { state, policy, priority, text, fileName, planned, searching, search } = db
    .prepare(
      `select state, policy, priority, text, file_name as fileName, planned, searching, search from sweeps
       where id = ?`,
    )
    .get(id) as SweepColumns;
  const sweep = newSweep(id, state, policyOf(policy), priority);
  sweep.planned = planned ?? Number.POSITIVE_INFINITY;
  if (searching > 0 && search !== null) {
    sweep.search = { source: openSource({ id, text, fileName }), state: parseSourceState(search) };
  }
  const trials = db
    .prepare(
      `select id, idx, config_id, seed, state, attempts, failure_class, parameters, metrics, metric_steps from trials
       where sweep_id = ? order by idx`,
    )
    .all(id) as {
    id: string;
    idx: number;
    config_id: string;
    seed: number;
    state: TrialState;
    attempts: number;
    failure_class: FailureClassName | null;
    parameters: string;
    metrics: string;
    metric_steps: string;
  }[];
  const failedAttempts = loadFailedAttempts(db, id);
  const speculated = loadSpeculated(db, id);
  const rungs = loadRungs(db, sweep);
  for (const row of trials) {
    const parameters = parseParameters(row.parameters);
    const planned = { trialId: row.id, index: row.idx, configId: row.config_id, seed: row.seed, parameters };
    const trial: Trial = {
      ...newTrial(sweep.policy, planned),
      state: row.state,
      rung: rungs.get(row.id) ?? 0,
      attempts: row.attempts,
      failedAttempts: failedAttempts.get(row.id) ?? [],
      avoidUntil: failedAttempts.has(row.id) ? now + ELSEWHERE_PATIENCE_MS : 0,
      failure: row.failure_class ?? undefined,
      offeredAt: now,
      speculated: speculated.has(row.id),
    };
    addTrial(sweep, trial);
    if (tracksProgram(sweep)) restoreValues(sweep, trial, parseValues(row));
  }
  restoreWarnings(sweep, loadWarnings(db, id));
  const failures = db
    .prepare(
      `select trial_id, failure_class as class, count(*) as n from attempts as a
       where sweep_id = ? and outcome = 'failed' and free = 0 and ${SINCE_RETRY}
       group by trial_id, failure_class`,
    )
    .all(id) as { trial_id: string; class: FailureClassName; n: number }[];
  for (const row of failures) {
    const trial = sweep.trials.get(row.trial_id);
    if (trial !== undefined) trial.failures[row.class] = row.n;
  }
  loadRecords(db, sweep);
  loadDurations(db, sweep);
  sweep.streak = loadStreak(db, id);
  for (const { trialId, ...checkpoint } of loadCheckpoints(db, id)) {
    const trial = sweep.trials.get(trialId);
    if (trial === undefined) continue;
    trial.checkpoint = checkpoint;
    loadResumableCurve(db, sweep, trialId, checkpoint);
  }
  return sweep;
}

/** Attempts before a trial's last manual retry do not count. */
const SINCE_RETRY = `number > coalesce(
  (select max(attempts) from retries as r where r.sweep_id = a.sweep_id and r.trial_id = a.trial_id), 0)`;

const IS_ATTRIBUTABLE = "a.outcome = 'failed' and a.failure_class in ('oom', 'crash', 'timeout', 'preflight')";

function loadFailedAttempts(db: Database, sweepId: string): Map<string, FailedAttempt[]> {
  const rows = db
    .prepare(
      `select trial_id, agent_id, failure_class as class, early, free from attempts as a
       where sweep_id = ? and ${IS_ATTRIBUTABLE} and ${SINCE_RETRY} order by trial_id, number`,
    )
    .all(sweepId) as { trial_id: string; agent_id: string; class: AttributableClass; early: number; free: number }[];
  const byTrial = new Map<string, FailedAttempt[]>();
  for (const row of rows) {
    const failed = { agentId: row.agent_id, class: row.class, early: row.early > 0, free: row.free > 0 };
    const same = byTrial.get(row.trial_id);
    if (same === undefined) byTrial.set(row.trial_id, [failed]);
    else same.push(failed);
  }
  return byTrial;
}

/** Returns the trials that have had a speculative attempt. */
function loadSpeculated(db: Database, sweepId: string): Set<string> {
  const rows = db
    .prepare(
      `select distinct trial_id as id from attempts as a where sweep_id = ? and speculative > 0 and ${SINCE_RETRY}`,
    )
    .all(sweepId) as { id: string }[];
  return new Set(rows.map(({ id }) => id));
}

function loadDurations(db: Database, sweep: Sweep): void {
  const rows = db
    .prepare(
      `select trial_id as trialId, agent_id as agentId, ended_at - granted_at as durationMs, resumed_from as resumedFrom,
         straggler, outcome = 'succeeded' as succeeded from attempts
       where sweep_id = ? and outcome is not null and (outcome = 'succeeded' or straggler is not null) order by ended_at`,
    )
    .all(sweep.id) as {
    trialId: string;
    agentId: string;
    durationMs: number;
    resumedFrom: number;
    straggler: string | null;
    succeeded: number;
  }[];
  for (const { trialId, ...row } of rows) {
    const trial = sweep.trials.get(trialId);
    if (trial === undefined) continue;
    const durationMs = Math.max(0, row.durationMs);
    recordDuration(sweep, trial, {
      ...row,
      durationMs,
      straggler: row.straggler ?? undefined,
      succeeded: row.succeeded > 0,
    });
  }
}

function loadValues(db: Database, { policy }: Sweep, { sweepId, trialId, attempt }: AttemptKey): MetricValues {
  const rows = db
    .prepare('select epoch, metrics from reports where sweep_id = ? and trial_id = ? and attempt = ? order by seq')
    .all(sweepId, trialId, attempt) as ReportColumns[];
  return foldReports(rows, policy.ranking);
}

function loadRecords(db: Database, sweep: Sweep): void {
  const successes = db
    .prepare(
      `select agent_id as agentId, count(*) as n from attempts
       where sweep_id = ? and outcome in ('succeeded', 'stopped') group by agent_id`,
    )
    .all(sweep.id) as { agentId: string; n: number }[];
  for (const { agentId, n } of successes) recordOf(sweep, agentId).successes = n;
  const early = db
    .prepare(
      `select trial_id as trialId, agent_id as agentId, pack, early, (
         select s.agent_id from attempts as s where s.sweep_id = a.sweep_id and s.trial_id = a.trial_id
           and s.outcome in ('succeeded', 'stopped')
       ) as successAgent
       from attempts as a where sweep_id = ? and early > 0 and ${SINCE_RETRY} order by trial_id, number`,
    )
    .all(sweep.id) as { trialId: string; agentId: string; pack: string; early: number; successAgent: string | null }[];
  const counted = new Set<string>();
  for (const { trialId, agentId, pack, early: state, successAgent } of early) {
    const record = recordOf(sweep, agentId);
    const refuted = successAgent !== null && successAgent !== agentId;
    const name = JSON.stringify([trialId, agentId]);
    if (refuted && !counted.has(name)) record.refuted += 1;
    counted.add(name);
    const trialState = sweep.trials.get(trialId)?.state;
    if (state === 1 && trialState !== 'failed' && trialState !== 'cancelled')
      record.failures.set(trialId, { pack, refuted });
  }
}

/** The newest failure has the largest time; failures within a millisecond can be in another order than in memory. */
function loadStreak(db: Database, sweepId: string): StreakFailure[] {
  const rows = db
    .prepare(
      `select trial_id, agent_id, early, failure_class, failure_message from attempts as a
       where sweep_id = ?1 and outcome = 'failed'
         and failure_class in ('oom', 'crash', 'timeout', 'preflight', 'rejected')
         and ended_at > (select resumed_at from sweeps where id = ?1)
         and ended_at > (select coalesce(max(ended_at), 0) from attempts
                         where sweep_id = ?1 and outcome in ('succeeded', 'stopped'))
       order by ended_at desc limit ${MAX_STREAK}`,
    )
    .all(sweepId) as {
    trial_id: string;
    agent_id: string;
    early: number;
    failure_class: string;
    failure_message: string;
  }[];
  return rows.reverse().map((row) => ({
    trialId: row.trial_id,
    agentId: row.agent_id,
    early: row.early > 0,
    error: errorOf({ class: row.failure_class, message: row.failure_message }),
  }));
}

function loadWarnings(db: Database, sweepId: string): StoredWarnings {
  const shown = db.prepare('select kind, message, count, since from warnings where sweep_id = ?').all(sweepId);
  const notices = db
    .prepare('select trial_id as trialId, attempt, kind, count from notices where sweep_id = ?')
    .all(sweepId) as { trialId: string; attempt: number; kind: WarningKindName; count: number }[];
  return {
    shown: shown as (Warning & { kind: WarningKindName })[],
    notices: notices.map(({ trialId, attempt, kind, count }) => ({ key: { sweepId, trialId, attempt }, kind, count })),
  };
}

function loadCheckpoints(db: Database, sweepId: string): (Checkpoint & { readonly trialId: string })[] {
  return db
    .prepare(
      `select trial_id as trialId, attempt, name, kind, epoch, size, sha256 from artifacts
       where sweep_id = ? and kind = 'checkpoint'`,
    )
    .all(sweepId) as (Checkpoint & { trialId: string })[];
}
