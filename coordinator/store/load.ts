/** Loads the live sweeps from the store into memory when the coordinator starts. */

import type { Database } from 'libsql';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import type { MetricValues } from '../../lib/domain/metric-values.ts';
import { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { WarningKindName } from '../../proto/names.ts';
import type { SlotUsage } from '../core/attempt-model.ts';
import { agentRecordOf, errorOf, MAX_CONSECUTIVE_FAILURES } from '../core/attribution.ts';
import { IDENTICAL_EXAMPLES } from '../core/identical-replicates.ts';
import { addLease } from '../core/leases.ts';
import {
  type Core,
  type CreationWindow,
  newCore,
  type Sweep,
  type SweepState,
  type TrialCreation,
  tracksProgram,
} from '../core/model.ts';
import type { SweepPolicy } from '../core/policy.ts';
import { probeDelayMs } from '../core/quarantine.ts';
import { beginSlotUsage } from '../core/share.ts';
import { recordDuration } from '../core/stragglers.ts';
import type { ConsecutiveFailure, Warning } from '../core/sweep-observations.ts';
import { newSweep } from '../core/sweeps.ts';
import { isFinal, type TrialState } from '../core/trial-model.ts';
import { restoreProgress, restoreSpeculativeValues, restoreWarnings, type StoredWarnings } from '../core/warnings.ts';
import { loadAgents, loadDrains, loadQuarantines } from './load-agents.ts';
import { loadCurve, loadScores } from './load-early-stopping.ts';
import { loadLeases, loadProgress } from './load-leases.ts';
import { loadTrials, sinceRetry } from './load-trials.ts';
import { foldReports, parseSourceState, type ReportColumns } from './rows.ts';
import type { OpenSource } from './store.ts';

/** Opens a trial source that yields no trial. */
const NO_SOURCE: OpenSource = () => ({ usesResults: false, next: () => ({ kind: 'wait' }) });

/**
 * Loads the core. Leases of running attempts are extended to their full duration from now, because no heartbeat could
 * arrive while the coordinator was down. The delays before retries are not stored, so retries are due immediately.
 * @param openSource opens the trial source of each sweep that has not created all of its trials; by default, no further
 * trials are created
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
    // A sweep that gains demand joins at the level of its peers. This sweep had demand before, so it keeps its level.
    sweep.share.hasDemand = true;
    const usages = new Map<string, SlotUsage>();
    for (const { gpus, ...lease } of loadLeases(db, sweep.id, leaseMs, now)) {
      const trial = sweep.trials.get(lease.key.trialId);
      if (trial === undefined) continue;
      const known = usages.get(lease.pack);
      if (known !== undefined) known.leases += 1;
      const usage = known ?? beginSlotUsage(sweep, gpus, now, lease.grantedAt);
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
    // Probes are recognized because they are granted after `since`. This must also work if the clock was set back.
    const since = Math.min(quarantine.since, now - 1);
    core.quarantines.set(agentId, { ...quarantine, since, probeAt: now + probeDelayMs(quarantine.failedProbes) });
  }
  for (const [id, facts] of loadAgents(db)) core.pastAgents.set(id, facts);
  return core;
}

/** Parses a stored policy. Program settings that did not exist when the policy was stored get their default values. */
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
  readonly slotMs: number;
  readonly gpuMs: number;
  readonly version: number;
}

/** Loads a sweep without its leases. A sweep that has ended creates no more trials. */
export function loadSweep(db: Database, id: string, now: number, openSource: OpenSource = NO_SOURCE): Sweep {
  const { state, policy, priority, text, fileName, planned, searching, search, version, slotMs, gpuMs } = db
    .prepare(
      `select state, policy, priority, text, file_name as fileName, planned, searching, search, version, slot_ms as slotMs,
         gpu_ms as gpuMs
       from sweeps where id = ?`,
    )
    .get(id) as SweepColumns;
  const sweep = newSweep(id, state, policyOf(policy), priority);
  Object.assign(sweep.slotTime, { slotMs, gpuMs });
  sweep.version = version;
  sweep.planned = planned ?? Number.POSITIVE_INFINITY;
  if (searching > 0 && search !== null) {
    sweep.search = { source: openSource({ id, text, fileName }), state: parseSourceState(search) };
  }
  loadScores(db, sweep);
  const live = db
    .prepare(
      "select id from trials indexed by trials_by_state where sweep_id = ? and state in ('pending', 'offered', 'running', 'held')",
    )
    .all(id) as { id: string }[];
  loadTrials(
    db,
    sweep,
    live.map((trial) => trial.id),
    now,
  );
  for (const { state: of, n } of countedTrials(db, id, 'trial_counts')) sweep.counts[of] = n;
  for (const { state: of, n } of countedTrials(db, id, 'dropped_counts')) if (isFinal(of)) sweep.dropped[of] = n;
  restoreWarnings(sweep, loadWarnings(db, id));
  loadRecords(db, sweep);
  loadDurations(db, sweep);
  sweep.consecutiveFailures = loadConsecutiveFailures(db, id);
  return sweep;
}

/**
 * Returns the source of the trials that a sweep had not created yet when it was stopped or killed. Undefined if all
 * trials of the sweep were created, or if an older version created them at the submission.
 */
export function loadUnfinishedSearch(
  db: Database,
  { id, earlyStopping }: Sweep,
  openSource: OpenSource,
): TrialCreation | undefined {
  const { text, fileName, planned, searching, search } = db
    .prepare('select text, file_name as fileName, planned, searching, search from sweeps where id = ?')
    .get(id) as Pick<SweepColumns, 'text' | 'fileName' | 'planned' | 'searching' | 'search'>;
  if (searching > 0 || search === null) return undefined;
  const state = parseSourceState(search);
  // If a population has a child, all of its first members were created, so no trial is left to create.
  const hasChildren =
    earlyStopping?.population !== undefined &&
    db.prepare("select 1 as found from trials where sweep_id = ? and parent <> '' limit 1").get(id) !== undefined;
  if (hasChildren || (planned !== null && state.created >= planned)) return undefined;
  return { source: openSource({ id, text, fileName }), state };
}

function countedTrials(
  db: Database,
  sweepId: string,
  table: 'trial_counts' | 'dropped_counts',
): { readonly state: TrialState; readonly n: number }[] {
  const rows = db.prepare(`select state, n from ${table} where sweep_id = ?`).all(sweepId);
  return rows as { state: TrialState; n: number }[];
}

/**
 * The number of newest ended attempts whose durations are restored. The straggler rule needs fewer attempts than this.
 */
const LOADED_DURATIONS = 2_000;

function loadDurations(db: Database, sweep: Sweep): void {
  const newest = (index: string, condition: string) =>
    db
      .prepare(
        `select t.config_id as configId, a.agent_id as agentId, a.ended_at - a.granted_at as durationMs,
           a.resumed_from as resumedFrom, a.straggler, a.outcome = 'succeeded' as succeeded, a.ended_at as endedAt
         from (select * from attempts indexed by ${index}
               where sweep_id = ?1 and outcome is not null and ${condition}
               order by ended_at desc limit ${LOADED_DURATIONS}) as a
         join trials as t on t.sweep_id = ?1 and t.id = a.trial_id`,
      )
      .all(sweep.id) as {
      configId: string;
      agentId: string;
      durationMs: number;
      resumedFrom: number;
      straggler: string | null;
      succeeded: number;
      endedAt: number;
    }[];
  const rows = [
    ...newest('ended_attempts', "outcome = 'succeeded'"),
    ...newest('straggling_attempts', "straggler is not null and outcome <> 'succeeded'"),
  ];
  for (const { durationMs, straggler, succeeded, ...row } of rows.sort((a, b) => a.endedAt - b.endedAt)) {
    recordDuration(sweep, row, {
      ...row,
      durationMs: Math.max(0, durationMs),
      straggler: straggler ?? undefined,
      succeeded: succeeded > 0,
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
    .prepare('select agent_id as agentId, n from agent_successes where sweep_id = ?')
    .all(sweep.id) as { agentId: string; n: number }[];
  for (const { agentId, n } of successes) agentRecordOf(sweep, agentId).successes = n;
  const early = db
    .prepare(
      `select trial_id as trialId, agent_id as agentId, pack, early,
         (select state from trials as t where t.sweep_id = a.sweep_id and t.id = a.trial_id) as trialState, (
         select s.agent_id from attempts as s where s.sweep_id = a.sweep_id and s.trial_id = a.trial_id
           and s.outcome in ('succeeded', 'stopped')
       ) as successAgent
       from attempts as a indexed by early_failures where sweep_id = ? and early > 0 and ${sinceRetry('a')} order by trial_id, number`,
    )
    .all(sweep.id) as {
    trialId: string;
    agentId: string;
    pack: string;
    early: number;
    trialState: TrialState;
    successAgent: string | null;
  }[];
  const counted = new Set<string>();
  for (const { trialId, agentId, pack, early: state, trialState, successAgent } of early) {
    const record = agentRecordOf(sweep, agentId);
    const refuted = successAgent !== null && successAgent !== agentId;
    const name = JSON.stringify([trialId, agentId]);
    if (refuted && !counted.has(name)) record.refuted += 1;
    counted.add(name);
    if (state === 1 && trialState !== 'failed' && trialState !== 'cancelled')
      record.failures.set(trialId, { pack, refuted });
  }
}

/**
 * Returns the failures since the last success or the last resume, oldest first. Failures within one millisecond can be
 * in a different order than before the restart.
 */
function loadConsecutiveFailures(db: Database, sweepId: string): ConsecutiveFailure[] {
  const { since } = db
    .prepare(
      `select max((select resumed_at from sweeps where id = ?1), coalesce(
         (select ended_at from attempts indexed by ended_attempts
          where sweep_id = ?1 and outcome is not null and outcome in ('succeeded', 'stopped', 'held')
          order by ended_at desc limit 1), 0)) as since`,
    )
    .get(sweepId) as { since: number };
  const rows = db
    .prepare(
      `select trial_id, agent_id, early, failure_class, failure_message, (
         select count(distinct agent_id) from attempts as e where e.sweep_id = a.sweep_id and e.trial_id = a.trial_id
           and e.early > 0 and ${sinceRetry('e')}) as early_agents
       from attempts as a indexed by ended_attempts
       where sweep_id = ?1 and outcome is not null and outcome = 'failed' and ended_at > ?2
         and failure_class in ('oom', 'crash', 'timeout', 'preflight', 'rejected')
       order by ended_at desc limit ${MAX_CONSECUTIVE_FAILURES}`,
    )
    .all(sweepId, since) as {
    trial_id: string;
    agent_id: string;
    early: number;
    failure_class: string;
    failure_message: string;
    early_agents: number;
  }[];
  return rows.reverse().map((row) => ({
    trialId: row.trial_id,
    agentId: row.agent_id,
    early: row.early > 0,
    earlyAgents: row.early_agents,
    error: errorOf({ class: row.failure_class, message: row.failure_message }),
  }));
}

function loadWarnings(db: Database, sweepId: string): StoredWarnings {
  const shown = db.prepare('select kind, message, count, since from warnings where sweep_id = ?').all(sweepId);
  const notices = db
    .prepare(
      `select n.trial_id as trialId, attempt, kind, count from notices as n
       join attempts as a on a.sweep_id = n.sweep_id and a.trial_id = n.trial_id and a.number = n.attempt
       where n.sweep_id = ? and a.outcome is null`,
    )
    .all(sweepId) as { trialId: string; attempt: number; kind: WarningKindName; count: number }[];
  const endedNotices = db
    .prepare(
      `select kind, min(${Number.MAX_SAFE_INTEGER}, total(max(1, count))) as count from notices as n
       join attempts as a on a.sweep_id = n.sweep_id and a.trial_id = n.trial_id and a.number = n.attempt
       where n.sweep_id = ? and a.outcome is not null group by kind`,
    )
    .all(sweepId);
  const { reported, lacking } = db.prepare('select reported, lacking from sweeps where id = ?').get(sweepId) as {
    reported: string;
    lacking: number;
  };
  const identical = db.prepare('select count(*) as n from identical_configs where sweep_id = ?').get(sweepId) as {
    n: number;
  };
  const examples = db
    .prepare(
      `select config_id as configId, replicates from identical_configs where sweep_id = ?
       order by config_id limit ${IDENTICAL_EXAMPLES}`,
    )
    .all(sweepId) as { configId: string; replicates: number }[];
  return {
    shown: shown as (Warning & { kind: WarningKindName })[],
    notices: notices.map(({ trialId, attempt, kind, count }) => ({ key: { sweepId, trialId, attempt }, kind, count })),
    endedNotices: endedNotices as { kind: WarningKindName; count: number }[],
    reported: JSON.parse(reported),
    lacking,
    identical: {
      count: identical.n,
      examples: new Map(examples.map(({ configId, replicates }) => [configId, replicates])),
    },
  };
}
