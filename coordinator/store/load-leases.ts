/**
 * Loads the leases of running attempts, the amounts of data received for these attempts, and the progress of their
 * reports.
 */

import type { Database } from 'libsql';
import { receivedBefore } from '../core/agent-limits.ts';
import type { Lease, ReceivedAmounts } from '../core/attempt-model.ts';
import { CURVE_REPORTS } from '../core/curve-digest.ts';
import type { ReportProgress } from '../core/sweep-observations.ts';
import { addStep } from '../core/warnings.ts';
import { curveDigest, type ReportColumns } from './rows.ts';

/** A lease, with the number of GPUs of its slot. */
type LoadedLease = Omit<Lease, 'usage'> & { readonly gpus: number };

export function loadLeases(db: Database, sweepId: string, leaseMs: number, now: number): LoadedLease[] {
  const rows = db
    .prepare(
      `select trial_id, number, agent_id, incarnation, slot, pack, granted_at, resumed_from, straggler, speculative, gpus,
         max(
         (select coalesce(max(seq), 0) from reports as r
          where r.sweep_id = a.sweep_id and r.trial_id = a.trial_id and r.attempt = a.number),
         (select coalesce(max(seq), 0) from artifacts as f
          where f.sweep_id = a.sweep_id and f.trial_id = a.trial_id and f.attempt = a.number),
         (select coalesce(max(seq), 0) from logs as l
          where l.sweep_id = a.sweep_id and l.trial_id = a.trial_id and l.attempt = a.number),
         (select coalesce(max(seq), 0) from notices as n
          where n.sweep_id = a.sweep_id and n.trial_id = a.trial_id and n.attempt = a.number),
         (select coalesce(max(seq), 0) from programs as p
          where p.sweep_id = a.sweep_id and p.trial_id = a.trial_id and p.attempt = a.number)) as last_seq,
         exists (select 1 from reports as r
          where r.sweep_id = a.sweep_id and r.trial_id = a.trial_id and r.attempt = a.number) as reported
       from attempts as a indexed by running_attempts where sweep_id = ? and outcome is null order by trial_id, number`,
    )
    .all(sweepId) as {
    trial_id: string;
    number: number;
    agent_id: string;
    incarnation: string;
    slot: number;
    pack: string;
    granted_at: number;
    resumed_from: number;
    straggler: string | null;
    speculative: number;
    gpus: number;
    last_seq: number;
    reported: number;
  }[];
  return rows.map((row) => ({
    key: { sweepId, trialId: row.trial_id, attempt: row.number },
    agentId: row.agent_id,
    incarnation: row.incarnation,
    slot: row.slot,
    pack: row.pack,
    // If the clock was set back, the attempt must not run longer than its sweep's timeout, counted from now.
    grantedAt: Math.min(row.granted_at, now),
    resumedFrom: row.resumed_from,
    speculative: row.speculative > 0,
    gpus: row.gpus,
    expiresAt: now + leaseMs,
    straggler: row.straggler ?? undefined,
    reported: row.reported > 0,
    lastSeq: row.last_seq,
    received: loadReceived(db, row, sweepId),
  }));
}

/** Returns the amounts that count against the limits of a running attempt. */
function loadReceived(
  db: Database,
  row: { readonly trial_id: string; readonly number: number; readonly speculative: number },
  sweepId: string,
): ReceivedAmounts {
  const ofAttempt = 'where sweep_id = ?1 and trial_id = ?2 and attempt = ?3';
  const key = [sweepId, row.trial_id, row.number] as const;
  const log = db.prepare(`select coalesce(sum(length(text)), 0) as characters from logs ${ofAttempt}`).get(...key);
  const reports = db
    .prepare(
      `select count(*) as reports, coalesce(sum(length(metrics)), 0) as metricCharacters from reports ${ofAttempt}`,
    )
    .get(...key) as { reports: number; metricCharacters: number };
  const program = db.prepare(`select environment from programs ${ofAttempt}`).get(...key) as
    | { environment: string }
    | undefined;
  // The row of the trial contains the names of its attempt's metrics, but not the names of a speculative attempt's
  // metrics.
  const names = db
    .prepare(
      row.speculative > 0
        ? `select distinct value.key as name from reports, json_each(metrics) as value ${ofAttempt}`
        : 'select value.key as name from trials, json_each(metrics) as value where sweep_id = ?1 and trials.id = ?2',
    )
    .all(...(row.speculative > 0 ? key : key.slice(0, 2))) as { name: string }[];
  return receivedBefore({
    logCharacters: (log as { characters: number }).characters,
    reports: reports.reports,
    metricCharacters: reports.metricCharacters,
    metrics: names.map(({ name }) => name),
    program: program === undefined ? 'none' : program.environment === '' ? 'without packages' : 'with packages',
  });
}

/**
 * The maximum number of newest reports to read. It is large enough to determine the interval between reports, and small
 * enough to be fast.
 */
const READ_REPORTS = 1_000;

export function loadProgress(
  db: Database,
  { key, grantedAt }: Pick<Lease, 'key' | 'grantedAt'>,
  now: number,
): ReportProgress {
  const rows = db
    .prepare(
      `select at, epoch from reports where sweep_id = ? and trial_id = ? and attempt = ?
       order by seq desc limit ${READ_REPORTS}`,
    )
    .all(key.sweepId, key.trialId, key.attempt) as { at: number; epoch: number }[];
  const first = db
    .prepare(
      `select epoch, metrics from reports where sweep_id = ? and trial_id = ? and attempt = ?
       order by seq limit ${CURVE_REPORTS}`,
    )
    .all(key.sweepId, key.trialId, key.attempt) as ReportColumns[];
  const progress: ReportProgress = {
    lastAt: grantedAt,
    reported: rows.length > 0,
    longestMs: 0,
    steps: new Set(),
    curve: curveDigest(first),
  };
  for (const { at, epoch } of rows.reverse()) {
    // The times of reports are from the agent's clock, which can differ from the coordinator's clock. No time may be
    // earlier than the previous time, or later than now.
    const reportedAt = Math.min(Math.max(at, progress.lastAt), now);
    progress.longestMs = Math.max(progress.longestMs, reportedAt - progress.lastAt);
    progress.lastAt = reportedAt;
    addStep(progress, epoch);
  }
  return progress;
}
