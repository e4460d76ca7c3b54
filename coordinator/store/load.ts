/** Loads the live sweeps from the store into memory when the coordinator starts. */
import { keyText } from '../../lib/domain/attempt-key.ts';
import { attemptMs } from '../../lib/domain/slot-time.ts';
import { NotFoundError } from '../../proto/errors.ts';
import { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { WarningKindName } from '../../proto/names.ts';
import { parseParameters } from '../../proto/values.ts';
import type { SlotUsage } from '../core/attempt-model.ts';
import { agentRecordOf, errorOf, MAX_CONSECUTIVE_FAILURES } from '../core/attribution.ts';
import { IDENTICAL_EXAMPLES } from '../core/identical-replicates.ts';
import { addLease } from '../core/leases.ts';
import { type Core, newCore, type Sweep, type SweepState, type TrialCreation, tracksProgram } from '../core/model.ts';
import type { SweepPolicy } from '../core/policy.ts';
import { probeDelayMs } from '../core/quarantine.ts';
import { newSlotUsage, startSlotUsage } from '../core/share.ts';
import { recordDuration } from '../core/stragglers.ts';
import type { ConsecutiveFailure, Warning } from '../core/sweep-observations.ts';
import { newSweep } from '../core/sweeps.ts';
import { isFinal, type TrialState } from '../core/trial-model.ts';
import { restoreProgress, restoreSpeculativeValues, restoreWarnings, type StoredWarnings } from '../core/warnings.ts';
import type { SourceState } from '../search/trial-source.ts';
import { loadAgents, loadDrains, loadQuarantines } from './load-agents.ts';
import { loadCurves, loadScores } from './load-early-stopping.ts';
import { loadGrantSeqs, loadLeases, loadProgress } from './load-leases.ts';
import { loadTrials, sinceRetry } from './load-trials.ts';
import type { Reader } from './reader.ts';
import { parseSourceState } from './rows.ts';
import type { LoadOptions, OpenSource } from './store.ts';

/** Opens a trial source that yields no trial. */
const NO_SOURCE: OpenSource = () => ({
  usesResults: false,
  prepare: async () => {},
  next: () => ({ kind: 'wait' }),
});

/**
 * Loads the core. Leases of running attempts are extended to their full duration from now, because no heartbeat could
 * arrive while the coordinator was down. The delays before retries are not stored, so retries are due immediately.
 */
export async function loadCore(
  reader: Reader,
  { leaseMs, now, openSource = NO_SOURCE, creationWindow, prefetchMs }: LoadOptions,
): Promise<Core> {
  const core = newCore(leaseMs, now, creationWindow, prefetchMs);
  core.listeningSince = now;
  const rows = await reader.all<{ id: number }>(
    "select id from sweeps where state in ('running', 'paused', 'stopping') order by id",
  );
  for (const { id } of rows) {
    const sweep = await loadSweep(reader, `${id}`, now, openSource);
    // When a sweep gains demand, its level is raised to the level of its peers (core/share.ts). This sweep had demand
    // before the restart, so its level must not be raised.
    sweep.share.hasDemand = true;
    await addLeases(reader, core, sweep, now);
    core.sweeps.set(sweep.id, sweep);
  }
  await orderUsages(reader, core);
  startUsages(core, now);
  for (const { agentId, graceLeftMs, ...drain } of await loadDrains(reader)) {
    core.drains.set(agentId, { graceEndsAt: now + graceLeftMs, storedAt: now, ...drain });
  }
  for (const { agentId, ...quarantine } of await loadQuarantines(reader)) {
    // An attempt is a probe if it is granted after `since`. The time `since` must therefore be in the past, even if the
    // clock was set back.
    const since = Math.min(quarantine.since, now - 1);
    core.quarantines.set(agentId, { ...quarantine, since, probeAt: now + probeDelayMs(quarantine.failedProbes) });
  }
  for (const [id, facts] of await loadAgents(reader)) core.pastAgents.set(id, facts);
  return core;
}

/** Sorts the usages of each slot in the order of their grants, because the agent runs them in this order. */
async function orderUsages(reader: Reader, core: Core): Promise<void> {
  const shared = [...core.slotsInUse.values()]
    .flatMap((slots) => [...slots.values()])
    .filter(({ length }) => length > 1);
  // All grants of a transaction have the same time. Their order is found in the event log.
  const tied = new Set(
    shared.flatMap((slot) =>
      slot.filter((one) => slot.some((other) => other !== one && other.grantedAt === one.grantedAt)),
    ),
  );
  const leases = [...core.leases.values()].filter(({ usage }) => tied.has(usage));
  const seqs = await loadGrantSeqs(
    reader,
    leases.map(({ key }) => key),
  );
  // The grants of a pack are consecutive events, so the sequence number of any of them places the pack in the order of
  // grants.
  const order = new Map(leases.map(({ key, usage }) => [usage, seqs.get(keyText(key)) ?? 0]));
  for (const slot of shared) {
    slot.sort((a, b) => a.grantedAt - b.grantedAt || (order.get(a) ?? 0) - (order.get(b) ?? 0));
  }
}

/**
 * Starts the oldest usage of each slot, and the usages of attempts that have sent records. A later usage of a slot
 * starts when the older usages have ended, or when a record of one of its attempts arrives.
 */
function startUsages(core: Core, now: number): void {
  for (const { key, usage, lastSeq, grantedAt } of core.leases.values()) {
    const sweep = core.sweeps.get(key.sweepId);
    if (lastSeq > 0 && sweep !== undefined) startSlotUsage(sweep, usage, now, grantedAt);
  }
  for (const [oldest] of [...core.slotsInUse.values()].flatMap((slots) => [...slots.values()])) {
    const sweep = oldest && core.sweeps.get(oldest.sweepId);
    if (oldest !== undefined && sweep !== undefined) startSlotUsage(sweep, oldest, now, oldest.grantedAt);
  }
}

/** Adds the leases of a loaded sweep. Their slot usages stay queued until `startUsages` is called. */
async function addLeases(reader: Reader, core: Core, sweep: Sweep, now: number): Promise<void> {
  const usages = new Map<string, SlotUsage>();
  const loaded = (await loadLeases(reader, sweep, core.leaseMs, now)).filter(({ trialId }) =>
    sweep.trials.has(trialId),
  );
  for (const { trialId, lease, gpus } of loaded) {
    const trial = sweep.trials.get(trialId);
    if (trial === undefined) continue;
    const known = usages.get(lease.pack);
    const usage = known ?? newSlotUsage(sweep, { ...lease, gpus });
    usages.set(lease.pack, usage);
    addLease(core, sweep, trial, { ...lease, usage });
    if (lease.straggler !== undefined) sweep.warnings.stragglers.set(keyText(lease.key), lease.straggler);
  }
  const leases = loaded.map(({ lease }) => lease);
  await loadCurves(reader, sweep, leases);
  if (!tracksProgram(sweep)) return;
  for await (const [{ trialId, lease, values }, progress] of loadProgress(reader, sweep.id, loaded, now)) {
    restoreProgress(sweep, lease, progress, now);
    if (sweep.trials.get(trialId)?.speculation?.key === lease.key) restoreSpeculativeValues(sweep, lease.key, values);
  }
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
  /** The time of the last resume in Unix milliseconds, or 0. */
  readonly resumedAt: number;
  /** A list as JSON. */
  readonly reported: string;
  readonly lacking: number;
}

/**
 * Loads a sweep without its leases.
 * @param openSource not needed for an ended sweep, because an ended sweep creates no further trials
 */
export async function loadSweep(
  reader: Reader,
  id: string,
  now: number,
  openSource: OpenSource = NO_SOURCE,
): Promise<Sweep> {
  const row = await sweepRow(reader, id);
  const { state, policy, priority, text, fileName, planned, searching, search, version, slotMs, gpuMs } = row;
  const sweep = newSweep(id, state, policyOf(policy), priority);
  Object.assign(sweep.slotTime, { slotMs, gpuMs });
  sweep.version = version;
  sweep.planned = planned ?? Number.POSITIVE_INFINITY;
  if (searching > 0 && search !== null) {
    sweep.search = { source: openSource({ id, text, fileName }), state: parseSourceState(search) };
  }
  await loadScores(reader, sweep);
  const live = await reader.all<{ id: string }>(
    `select id from trials ${reader.dialect.index('trials_by_state')}
     where sweep_id = ? and state in ('pending', 'offered', 'running', 'held')`,
    id,
  );
  await loadTrials(
    reader,
    sweep,
    live.map((trial) => trial.id),
    now,
  );
  for (const { state: of, n } of await countedTrials(reader, id, 'trial_counts')) sweep.counts[of] = n;
  for (const { state: of, n } of await countedTrials(reader, id, 'dropped_counts')) {
    if (isFinal(of)) sweep.dropped[of] = n;
  }
  restoreWarnings(sweep, await loadWarnings(reader, id, row));
  await loadRecords(reader, sweep);
  await loadDurations(reader, sweep);
  sweep.consecutiveFailures = await loadConsecutiveFailures(reader, id, row.resumedAt);
  return sweep;
}

async function sweepRow(reader: Reader, id: string): Promise<SweepColumns> {
  const row = await reader.get<SweepColumns>(
    `select state, policy, priority, text, file_name as "fileName", planned, searching, search, version,
       slot_ms as "slotMs", gpu_ms as "gpuMs", resumed_at as "resumedAt", reported, lacking
     from sweeps where id = ?`,
    id,
  );
  if (row === undefined) throw new NotFoundError(`there is no sweep ${id}`);
  return row;
}

/**
 * Returns the source of the trials that a sweep had not created yet when it was stopped or killed. Undefined if all
 * trials of the sweep were created, or if an older version of trawl created them at the submission.
 */
export async function loadUnfinishedSearch(
  reader: Reader,
  { id, earlyStopping }: Sweep,
  openSource: OpenSource,
): Promise<TrialCreation | undefined> {
  const { text, fileName, planned, searching, search } = await sweepRow(reader, id);
  if (searching > 0 || search === null) return undefined;
  const state = parseSourceState(search);
  // A population creates its first child after all of its first members, so the source has no trial left to create.
  const hasChildren = earlyStopping?.population !== undefined && (await hasChild(reader, id));
  if (hasChildren || (planned !== null && state.created >= planned)) return undefined;
  return { source: openSource({ id, text, fileName }), state };
}

/**
 * Returns the state of a sweep's trial source. Undefined if an older version of trawl created all trials at the
 * submission.
 */
export async function loadSearchState(
  reader: Reader,
  sweepId: string,
): Promise<{ state: SourceState; done: boolean } | undefined> {
  const { searching, search } = await sweepRow(reader, sweepId);
  return search === null ? undefined : { state: parseSourceState(search), done: searching === 0 };
}

async function hasChild(reader: Reader, sweepId: string): Promise<boolean> {
  const sql = "select 1 as found from trials where sweep_id = ? and parent <> '' limit 1";
  return (await reader.get(sql, sweepId)) !== undefined;
}

function countedTrials(
  reader: Reader,
  sweepId: string,
  table: 'trial_counts' | 'dropped_counts',
): Promise<{ readonly state: TrialState; readonly n: number }[]> {
  return reader.all(`select state, n from ${table} where sweep_id = ?`, sweepId);
}

/**
 * The durations of the newest succeeded attempts are restored, up to this number of attempts. To find slow agents, the
 * newest stragglers that did not succeed are also read, up to the same number.
 */
const LOADED_DURATIONS = 2_000;

interface DurationRow {
  readonly configId: string;
  readonly parameters: string;
  readonly agentId: string;
  readonly grantedAtMs: number;
  readonly endedAtMs: number;
  readonly leasedMs: number;
  readonly resumedFrom: number;
  readonly straggler: string | null;
  readonly outcome: string;
}

async function loadDurations(reader: Reader, sweep: Sweep): Promise<void> {
  const newest = (index: string, condition: string) =>
    reader.all<DurationRow>(
      `select t.config_id as "configId", t.parameters, a.agent_id as "agentId", a.granted_at as "grantedAtMs",
         a.ended_at as "endedAtMs", t.leased_ms as "leasedMs", a.resumed_from as "resumedFrom", a.straggler, a.outcome
       from (select * from attempts ${reader.dialect.index(index)}
             where sweep_id = ?1 and outcome is not null and ${condition}
             order by ended_at desc limit ${LOADED_DURATIONS}) as a
       join trials as t on t.sweep_id = ?1 and t.id = a.trial_id`,
      sweep.id,
    );
  const rows = [
    ...(await newest('ended_attempts', "outcome = 'succeeded'")),
    ...(await newest('straggling_attempts', "straggler is not null and outcome <> 'succeeded'")),
  ];
  for (const { straggler, outcome, parameters, ...row } of rows.sort((a, b) => a.endedAtMs - b.endedAtMs)) {
    const trial = { configId: row.configId, parameters: parseParameters(parameters) };
    recordDuration(sweep, trial, {
      ...row,
      durationMs: attemptMs(row),
      straggler: straggler ?? undefined,
      succeeded: outcome === 'succeeded',
    });
  }
}

async function loadRecords(reader: Reader, sweep: Sweep): Promise<void> {
  const successes = await reader.all<{ agentId: string; n: number }>(
    'select agent_id as "agentId", n from agent_successes where sweep_id = ?',
    sweep.id,
  );
  for (const { agentId, n } of successes) agentRecordOf(sweep, agentId).successes = n;
  const early = await reader.all<{
    trialId: string;
    agentId: string;
    pack: string;
    early: number;
    trialState: TrialState;
    successAgent: string | null;
  }>(
    `select a.trial_id as "trialId", a.agent_id as "agentId", a.pack, a.early,
       (select state from trials as t where t.sweep_id = a.sweep_id and t.id = a.trial_id) as "trialState", (
         select s.agent_id from attempts as s where s.sweep_id = a.sweep_id and s.trial_id = a.trial_id
           and s.outcome in ('succeeded', 'stopped') order by s.number limit 1
       ) as "successAgent"
     from attempts as a ${reader.dialect.index('early_failures')}
     where a.sweep_id = ? and a.early > 0 and ${sinceRetry('a')} order by a.trial_id, a.number`,
    sweep.id,
  );
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
 * Returns the failures since the last attempt that succeeded, was stopped early or was held, or since the last resume
 * if that is later. The oldest failure is first. Failures within one millisecond may be in a different order than
 * before the restart.
 */
async function loadConsecutiveFailures(
  reader: Reader,
  sweepId: string,
  resumedAt: number,
): Promise<ConsecutiveFailure[]> {
  const last = await reader.get<{ at: number }>(
    `select ended_at as at from attempts ${reader.dialect.index('ended_attempts')}
     where sweep_id = ? and outcome is not null and outcome in ('succeeded', 'stopped', 'held')
     order by ended_at desc limit 1`,
    sweepId,
  );
  const rows = await reader.all<{
    trialId: string;
    agentId: string;
    early: number;
    class: string;
    message: string;
    earlyAgents: number;
  }>(
    `select a.trial_id as "trialId", a.agent_id as "agentId", a.early, a.failure_class as class,
       a.failure_message as message, (
         select count(distinct agent_id) from attempts as e where e.sweep_id = a.sweep_id and e.trial_id = a.trial_id
           and e.early > 0 and ${sinceRetry('e')}) as "earlyAgents"
     from attempts as a ${reader.dialect.index('ended_attempts')}
     where a.sweep_id = ?1 and a.outcome is not null and a.outcome = 'failed' and a.ended_at > ?2
       and a.failure_class in ('oom', 'crash', 'timeout', 'preflight', 'rejected')
     order by a.ended_at desc limit ${MAX_CONSECUTIVE_FAILURES}`,
    sweepId,
    Math.max(resumedAt, last?.at ?? 0),
  );
  return rows.reverse().map(({ early, class: failureClass, message, ...row }) => ({
    ...row,
    early: early > 0,
    error: errorOf({ class: failureClass, message }),
  }));
}

async function loadWarnings(
  reader: Reader,
  sweepId: string,
  { reported, lacking }: Pick<SweepColumns, 'reported' | 'lacking'>,
): Promise<StoredWarnings> {
  const shown = await reader.all<Warning & { kind: WarningKindName }>(
    'select kind, message, count, since from warnings where sweep_id = ?',
    sweepId,
  );
  const notices = await reader.all<{ trialId: string; attempt: number; kind: WarningKindName; count: number }>(
    `select n.trial_id as "trialId", n.attempt, n.kind, n.count from notices as n
     join attempts as a on a.sweep_id = n.sweep_id and a.trial_id = n.trial_id and a.number = n.attempt
     where n.sweep_id = ? and a.outcome is null`,
    sweepId,
  );
  const endedNotices = await reader.all<{ kind: WarningKindName; count: number }>(
    `select n.kind, sum(cast(case when n.count > 1 then n.count else 1 end as double precision)) as count
     from notices as n
     join attempts as a on a.sweep_id = n.sweep_id and a.trial_id = n.trial_id and a.number = n.attempt
     where n.sweep_id = ? and a.outcome is not null group by n.kind`,
    sweepId,
  );
  const identical = await reader.get<{ n: number }>(
    'select count(*) as n from identical_configs where sweep_id = ?',
    sweepId,
  );
  const examples = await reader.all<{ configId: string; replicates: number }>(
    `select config_id as "configId", replicates from identical_configs where sweep_id = ?
     order by config_id limit ${IDENTICAL_EXAMPLES}`,
    sweepId,
  );
  return {
    shown,
    notices: notices.map(({ trialId, attempt, kind, count }) => ({ key: { sweepId, trialId, attempt }, kind, count })),
    endedNotices: endedNotices.map(({ kind, count }) => ({ kind, count: Math.min(Number.MAX_SAFE_INTEGER, count) })),
    reported: JSON.parse(reported),
    lacking,
    identical: {
      count: identical?.n ?? 0,
      examples: new Map(examples.map(({ configId, replicates }) => [configId, replicates])),
    },
  };
}
