/** Reads attempts, their reports, log text, programs and rungs. */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { interruptedAttempt } from '../../lib/domain/interrupted.ts';
import type { Attempt, ProgramStart, Report, Rung } from '../../proto/gen/trawl/v1/types.ts';
import { rowsOfIds } from './dialect.ts';
import type { Reader } from './reader.ts';
import { type AttemptRow, attemptOf, type ProgramRow, type ReportRow, reportOf } from './rows.ts';

/** The position of a report in the order of step, attempt and arrival. */
export interface ReportPosition {
  readonly epoch: number;
  readonly attempt: number;
  readonly seq: number;
}

export class AttemptQueries {
  readonly #reader: Reader;
  readonly #isOffline: boolean;

  constructor(reader: Reader, isOffline: boolean) {
    this.#reader = reader;
    this.#isOffline = isOffline;
  }

  async all(sweepId: string, trialId: string): Promise<Attempt[]> {
    const rows = await this.#reader.all<AttemptRow>(
      'select * from attempts where sweep_id = ? and trial_id = ? order by number',
      sweepId,
      trialId,
    );
    return rows.map((row) => (this.#isOffline ? interruptedAttempt(attemptOf(row)) : attemptOf(row)));
  }

  /** Returns the early-stopping rungs that a trial has reached. */
  rungs(sweepId: string, trialId: string): Promise<Rung[]> {
    return this.#reader.all(
      `select rung, attempt, step, value, detail as reason, at as "atMs" from rungs
       where sweep_id = ? and trial_id = ? order by rung`,
      sweepId,
      trialId,
    );
  }

  /** Returns the program starts of a trial's attempts, in order of attempt. */
  async programs(sweepId: string, trialId: string): Promise<ProgramStart[]> {
    const rows = await this.#reader.all<ProgramRow>(
      `select attempt, command, interpreter, python, coalesce(packages, '') as packages
         from programs left join environments on sha256 = environment
         where sweep_id = ? and trial_id = ? order by attempt`,
      sweepId,
      trialId,
    );
    return rows.map((row) => ({ ...row, command: JSON.parse(row.command) }));
  }

  /**
   * Returns up to `limit` positions of reports of the attempts, in order of step, attempt and arrival. The first
   * position is the one that follows `after`. The query reads every report of the attempts, but keeps only `limit`
   * positions in memory.
   */
  reportPlaces(
    sweepId: string,
    trialId: string,
    {
      attempts,
      after,
      limit,
    }: { readonly attempts: readonly number[]; readonly after: ReportPosition; readonly limit: number },
  ): Promise<(ReportPosition & { readonly bytes: number })[]> {
    return this.#reader.all(
      `select epoch, attempt, seq, octet_length(metrics) as bytes from reports
       where sweep_id = ?1 and trial_id = ?2 and attempt in (
           select cast(wanted.value ->> 0 as bigint) from ${this.#reader.dialect.rows('?3', 'wanted')})
         and (epoch, attempt, seq) > (?4, ?5, ?6) order by epoch, attempt, seq limit ?7`,
      sweepId,
      trialId,
      rowsOfIds(attempts),
      after.epoch,
      after.attempt,
      after.seq,
      limit,
    );
  }

  /** Returns the reports at the given positions, in order of the positions. */
  async reportsAt(
    sweepId: string,
    trialId: string,
    places: readonly Pick<ReportPosition, 'attempt' | 'seq'>[],
  ): Promise<Report[]> {
    const rows = await this.#reader.all<ReportRow>(
      `select r.trial_id, r.attempt, r.epoch, r.at, r.metrics from ${this.#reader.dialect.rows('?3', 'place')} cross join reports as r
         where r.sweep_id = ?1 and r.trial_id = ?2 and r.attempt = cast(place.value ->> 0 as bigint)
           and r.seq = cast(place.value ->> 1 as bigint)
         order by place.key`,
      sweepId,
      trialId,
      JSON.stringify(places.map(({ attempt, seq }) => [attempt, seq])),
    );
    return rows.map(reportOf);
  }

  /** Returns, for each metric, the smallest and the largest finite value that the attempts of the sweep reported. */
  extremes(sweepId: string): Promise<{ metric: string; least: number; greatest: number }[]> {
    return this.#reader.all(
      // The limit 1.8e308 excludes infinite values. SQLite reads 1.8e308 as infinity. PostgreSQL cannot convert a
      // number above 1.8e308 to double precision.
      `select metric.key as metric, min(cast(metric.value as double precision)) as least,
         max(cast(metric.value as double precision)) as greatest
       from reports cross join ${this.#reader.dialect.entries('reports.metrics', 'metric')}
       where reports.sweep_id = ? and abs(cast(metric.value as numeric)) < 1.8e308 group by metric.key order by metric.key`,
      sweepId,
    );
  }

  /** Returns the time of the sweep's newest report in Unix milliseconds, or undefined if the sweep has no report. */
  async lastReportAt(sweepId: string): Promise<number | undefined> {
    const sql = 'select max(at) as at from reports where sweep_id = ?';
    const row = await this.#reader.get<{ at: number | null }>(sql, sweepId);
    return row?.at ?? undefined;
  }

  /**
   * Of the trial's attempts that precede the given attempt, returns the latest end, in Unix milliseconds. Undefined if
   * none of these attempts has ended.
   */
  async previousEnd({ sweepId, trialId, attempt }: AttemptKey): Promise<number | undefined> {
    const sql =
      'select max(ended_at) as at from attempts where sweep_id = ? and trial_id = ? and number < ? and ended_at > 0';
    const row = await this.#reader.get<{ at: number | null }>(sql, sweepId, trialId, attempt);
    return row?.at ?? undefined;
  }

  /** Returns up to 500 records of log text after the record `afterSeq`, in order. */
  log(sweepId: string, trialId: string, attempt: number, afterSeq: number): Promise<{ seq: number; text: string }[]> {
    return this.#reader.all(
      `select seq, text from logs where sweep_id = ? and trial_id = ? and attempt = ? and seq > ?
       order by seq limit 500`,
      sweepId,
      trialId,
      attempt,
      afterSeq,
    );
  }
}
