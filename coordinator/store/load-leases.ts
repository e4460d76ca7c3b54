/**
 * Loads the leases of running attempts, the amounts of data received for these attempts, and the progress of their
 * reports.
 */
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import type { MetricValues } from '../../lib/domain/metric-values.ts';
import { receivedBefore } from '../core/agent-limits.ts';
import type { Lease } from '../core/attempt-model.ts';
import { CURVE_REPORTS } from '../core/curve-digest.ts';
import type { Sweep } from '../core/model.ts';
import type { ReportProgress } from '../core/sweep-observations.ts';
import { addStep } from '../core/warnings.ts';
import { type ReportedAttempt, reportsOf, type StoredReport } from './load-reports.ts';
import type { Reader } from './reader.ts';
import { curveDigest, foldReports } from './rows.ts';

/** A lease, with the number of reports of its attempt and the number of GPUs of its slot. */
export interface LoadedLease extends ReportedAttempt {
  readonly lease: Omit<Lease, 'usage'>;
  readonly gpus: number;
  /** The values that a speculative attempt reported. The values of other attempts are in the row of their trial. */
  readonly values: MetricValues;
}

interface LeaseRow {
  readonly trialId: string;
  readonly number: number;
  readonly agentId: string;
  readonly incarnation: string;
  readonly slot: number;
  readonly pack: string;
  readonly grantedAt: number;
  readonly resumedFrom: number;
  readonly straggler: string | null;
  readonly speculative: number;
  readonly gpus: number;
  readonly reportSeq: number;
  readonly artifactSeq: number;
  readonly logSeq: number;
  readonly noticeSeq: number;
  readonly programSeq: number;
  readonly reports: number;
  readonly metricCharacters: number;
  readonly logCharacters: number;
  /** Null if the attempt has no program record. */
  readonly environment: string | null;
  /** The metrics of the trial as JSON. */
  readonly metrics: string;
}

const OF_ATTEMPT = 'where r.sweep_id = a.sweep_id and r.trial_id = a.trial_id and r.attempt = a.number';

const lastSeq = (table: string) => `(select coalesce(max(r.seq), 0) from ${table} as r ${OF_ATTEMPT})`;

/** Loads the leases of a sweep, in order of trial and attempt. */
export async function loadLeases(
  reader: Reader,
  { id, policy }: Sweep,
  leaseMs: number,
  now: number,
): Promise<LoadedLease[]> {
  const rows = await reader.all<LeaseRow>(
    `select a.trial_id as "trialId", a.number, a.agent_id as "agentId", a.incarnation, a.slot, a.pack,
       a.granted_at as "grantedAt", a.resumed_from as "resumedFrom", a.straggler, a.speculative, a.gpus,
       ${lastSeq('reports')} as "reportSeq",
       ${lastSeq('artifacts')} as "artifactSeq",
       ${lastSeq('logs')} as "logSeq",
       ${lastSeq('notices')} as "noticeSeq",
       ${lastSeq('programs')} as "programSeq",
       (select count(*) from reports as r ${OF_ATTEMPT}) as reports,
       (select coalesce(sum(length(r.metrics)), 0) from reports as r ${OF_ATTEMPT}) as "metricCharacters",
       (select coalesce(sum(length(r.text)), 0) from logs as r ${OF_ATTEMPT}) as "logCharacters",
       (select r.environment from programs as r ${OF_ATTEMPT}) as environment,
       coalesce((select t.metrics from trials as t where t.sweep_id = a.sweep_id and t.id = a.trial_id), '{}') as metrics
     from attempts as a ${reader.dialect.index('running_attempts')}
     where a.sweep_id = ? and a.outcome is null order by a.trial_id, a.number`,
    id,
  );
  const speculative = rows
    .filter((row) => row.speculative > 0)
    .map(({ trialId, number, reports }) => ({ trialId, attempt: number, reports }));
  const values = new Map<string, MetricValues>();
  // A trial has at most one running speculative attempt.
  for await (const [{ trialId }, reports] of reportsOf(reader, id, speculative)) {
    values.set(trialId, foldReports(reports, policy.ranking));
  }
  return rows.map((row) => {
    const ownValues: MetricValues = (row.speculative > 0 ? values.get(row.trialId) : undefined) ?? new Map();
    const lease = {
      key: { sweepId: id, trialId: row.trialId, attempt: row.number },
      agentId: row.agentId,
      incarnation: row.incarnation,
      slot: row.slot,
      pack: row.pack,
      // If the clock was set back, the stored time can be in the future. The attempt could then exceed the sweep's
      // timeout.
      grantedAt: Math.min(row.grantedAt, now),
      resumedFrom: row.resumedFrom,
      speculative: row.speculative > 0,
      expiresAt: now + leaseMs,
      straggler: row.straggler ?? undefined,
      reported: row.reports > 0,
      lastSeq: Math.max(row.reportSeq, row.artifactSeq, row.logSeq, row.noticeSeq, row.programSeq),
      received: receivedBefore({
        logCharacters: row.logCharacters,
        reports: row.reports,
        metricCharacters: row.metricCharacters,
        metrics: row.speculative > 0 ? [...ownValues.keys()] : Object.keys(JSON.parse(row.metrics)),
        program: programOf(row.environment),
      }),
    };
    return {
      trialId: row.trialId,
      attempt: row.number,
      reports: row.reports,
      lease,
      gpus: row.gpus,
      values: ownValues,
    };
  });
}

/** The number of grants that are read at once from the event log. */
const GRANTS_PER_PAGE = 500;
/** The maximum number of pages to read. */
const MAX_GRANT_PAGES = 40;

/**
 * Returns the sequence numbers of the events that record the grants of the given attempts, by `keyText`. These numbers
 * show the order of the grants. The times of the grants do not, because all grants of a transaction have the same time.
 * Reads at most MAX_GRANT_PAGES pages from the end of the event log. Older grants are not needed, because only the
 * order of attempts that share a slot matters, and an agent runs or returns such attempts soon after their grant.
 */
export async function loadGrantSeqs(reader: Reader, keys: readonly AttemptKey[]): Promise<Map<string, number>> {
  const missing = new Set(keys.map(keyText));
  const seqs = new Map<string, number>();
  let before = Number.MAX_SAFE_INTEGER;
  for (let page = 0; missing.size > 0 && page < MAX_GRANT_PAGES; page++) {
    const rows = await reader.all<AttemptKey & { readonly seq: number }>(
      `select seq, cast(sweep_id as text) as "sweepId", trial_id as "trialId", attempt from events
       where seq < ? and kind in ('granted', 'speculated') order by seq desc limit ${GRANTS_PER_PAGE}`,
      before,
    );
    for (const { seq, ...key } of rows) {
      const name = keyText(key);
      if (missing.delete(name)) seqs.set(name, seq);
      before = seq;
    }
    if (rows.length < GRANTS_PER_PAGE) break;
  }
  return seqs;
}

function programOf(environment: string | null): 'none' | 'without packages' | 'with packages' {
  if (environment === null) return 'none';
  return environment === '' ? 'without packages' : 'with packages';
}

/**
 * The maximum number of newest reports to read per attempt: enough to determine the interval between reports, and few
 * enough to be read quickly.
 */
const READ_REPORTS = 1_000;

/** Yields the leases of a sweep with the progress of their reports. */
export async function* loadProgress(
  reader: Reader,
  sweepId: string,
  leases: readonly LoadedLease[],
  now: number,
): AsyncGenerator<readonly [LoadedLease, ReportProgress], void, void> {
  const newest = { end: 'newest', limit: READ_REPORTS } as const;
  const first = { end: 'first', limit: CURVE_REPORTS } as const;
  // The first reports are read separately only for attempts with more than READ_REPORTS reports. For other attempts,
  // the newest reports include the first reports.
  const longest = leases.filter(({ reports }) => reports > READ_REPORTS);
  const digests = new Map<LoadedLease, ReportProgress['curve']>();
  for await (const [lease, reports] of reportsOf(reader, sweepId, longest, first)) {
    digests.set(lease, curveDigest(reports));
  }
  for await (const [lease, reports] of reportsOf(reader, sweepId, leases, newest)) {
    const curve = digests.get(lease) ?? curveDigest(reports);
    yield [lease, progressOf(lease, reports, curve, now)];
  }
}

function progressOf(
  { lease: { grantedAt } }: LoadedLease,
  reports: readonly StoredReport[],
  curve: ReportProgress['curve'],
  now: number,
): ReportProgress {
  const progress: ReportProgress = {
    lastAt: grantedAt,
    reported: reports.length > 0,
    longestMs: 0,
    steps: new Set(),
    curve,
  };
  for (const { at, epoch } of reports) {
    // The times of reports are from the agent's clock, which can differ from the coordinator's clock. No time may be
    // earlier than the previous time, or later than now.
    const reportedAt = Math.min(Math.max(at, progress.lastAt), now);
    progress.longestMs = Math.max(progress.longestMs, reportedAt - progress.lastAt);
    progress.lastAt = reportedAt;
    addStep(progress, epoch);
  }
  return progress;
}
