/** Reads the reports of many attempts with few statements, because a store may be on another machine. */
import { group } from 'd3-array';
import type { Reader } from './reader.ts';
import type { ReportColumns } from './rows.ts';

/** The maximum numbers of attempts and reports per statement. An attempt with more reports is read alone. */
const ATTEMPTS_PER_READ = 1_000;
const REPORTS_PER_READ = 20_000;

/** An attempt, and its number of reports. */
export interface ReportedAttempt {
  readonly trialId: string;
  readonly attempt: number;
  readonly reports: number;
}

export interface StoredReport extends ReportColumns {
  readonly at: number;
  readonly seq: number;
}

/** Which reports of each attempt are read: all, or up to `limit` of the attempt's first or newest reports. */
export type ReportSelection = 'all' | { readonly end: 'first' | 'newest'; readonly limit: number };

/** Yields each attempt with its selected reports in order of arrival. The attempts keep their order. */
export async function* reportsOf<Of extends ReportedAttempt>(
  reader: Reader,
  sweepId: string,
  attempts: readonly Of[],
  selection: ReportSelection = 'all',
): AsyncGenerator<readonly [Of, readonly StoredReport[]], void, void> {
  for (const batch of batchesOf(attempts, selection === 'all' ? Number.POSITIVE_INFINITY : selection.limit)) {
    const ranges = await rangesOf(reader, sweepId, batch, selection);
    const rows = await reader.all<StoredReport & { readonly trialId: string; readonly attempt: number }>(
      `select r.trial_id as "trialId", r.attempt, r.seq, r.at, r.epoch, r.metrics
       from ${reader.dialect.rows('?2', 'wanted')} cross join reports as r
       where r.sweep_id = ?1 and r.trial_id = wanted.value ->> 0 and r.attempt = cast(wanted.value ->> 1 as bigint)
         and r.seq between cast(wanted.value ->> 2 as bigint) and cast(wanted.value ->> 3 as bigint)`,
      sweepId,
      JSON.stringify(ranges),
    );
    const byAttempt = group(
      rows,
      ({ trialId }) => trialId,
      ({ attempt }) => attempt,
    );
    for (const of of batch) {
      const reports = byAttempt.get(of.trialId)?.get(of.attempt) ?? [];
      yield [of, reports.sort((a, b) => a.seq - b.seq)];
    }
  }
}

function* batchesOf<Of extends ReportedAttempt>(attempts: readonly Of[], limit: number): Generator<Of[], void, void> {
  let batch: Of[] = [];
  let reports = 0;
  for (const attempt of attempts) {
    const added = Math.min(attempt.reports, limit);
    if (batch.length === ATTEMPTS_PER_READ || (batch.length > 0 && reports + added > REPORTS_PER_READ)) {
      yield batch;
      batch = [];
      reports = 0;
    }
    batch.push(attempt);
    reports += added;
  }
  if (batch.length > 0) yield batch;
}

/**
 * For each attempt that has reports, returns the trial, the attempt, and the first and the last sequence number to
 * read.
 */
async function rangesOf(
  reader: Reader,
  sweepId: string,
  batch: readonly ReportedAttempt[],
  selection: ReportSelection,
): Promise<[string, number, number, number][]> {
  const reported = batch.filter(({ reports }) => reports > 0);
  const all = reported.map<[string, number, number, number]>(({ trialId, attempt }) => {
    return [trialId, attempt, 0, Number.MAX_SAFE_INTEGER];
  });
  if (selection === 'all') return all;
  const { end, limit } = selection;
  const longer = new Set(reported.flatMap(({ reports }, at) => (reports > limit ? [at] : [])));
  if (longer.size === 0) return all;
  const bounds = await reader.all<{ readonly trialId: string; readonly attempt: number; readonly bound: number }>(
    `select a.trial_id as "trialId", a.number as attempt,
       (select seq from reports as r where r.sweep_id = a.sweep_id and r.trial_id = a.trial_id and r.attempt = a.number
        order by seq ${end === 'newest' ? 'desc' : ''} limit 1 offset ?3) as bound
     from ${reader.dialect.rows('?2', 'wanted')} cross join attempts as a
     where a.sweep_id = ?1 and a.trial_id = wanted.value ->> 0 and a.number = cast(wanted.value ->> 1 as bigint)`,
    sweepId,
    JSON.stringify(all.filter((_, at) => longer.has(at))),
    limit - 1,
  );
  const byAttempt = new Map(bounds.map(({ trialId, attempt, bound }) => [`${attempt}/${trialId}`, bound]));
  return all.map(([trialId, attempt, from, to]) => {
    const bound = byAttempt.get(`${attempt}/${trialId}`);
    if (bound === undefined) return [trialId, attempt, from, to];
    return end === 'newest' ? [trialId, attempt, bound, to] : [trialId, attempt, from, bound];
  });
}
