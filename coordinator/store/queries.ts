/** Reads from the store and returns wire messages. All rows are durable. */

import type { Database, Statement } from 'libsql';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { type EtaTrial, phaseOf, type TimeLeft } from '../../lib/domain/eta.ts';
import { interruptedAttempt, interruptedSweep, interruptedTrial } from '../../lib/domain/interrupted.ts';
import { toWire } from '../../lib/domain/parameters.ts';
import { parseTrialSelector, trialSelector } from '../../lib/domain/selectors.ts';
import { NO_SLOT_TIME } from '../../lib/domain/slot-time.ts';
import { AmbiguousError, BadInputError, NotFoundError } from '../../proto/errors.ts';
import type { ListRungsResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type {
  Artifact,
  Attempt,
  Environment,
  Event,
  ProgramStart,
  Report,
  Rung,
  SlotTime,
  Source,
  Sweep,
  Trial,
} from '../../proto/gen/trawl/v1/types.ts';
import type { FailureClassName, GoalName, TrialStateName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { parseParameters } from '../../proto/values.ts';
import type { SweepPolicy } from '../core/policy.ts';
import type { TrialState } from '../core/trial-model.ts';
import { type RungEntryRow, rungSummaries } from '../early-stop/rung-summaries.ts';
import { earlyTerminateText } from '../early-stop/settings-text.ts';
import {
  type ArtifactRow,
  type AttemptRow,
  artifactOf,
  attemptOf,
  type EnvironmentRow,
  type ProgramRow,
  type ReportRow,
  reportOf,
  type SourceRow,
  type StateCountRow,
  type SweepRow,
  sourceOf,
  sweepOf,
  type TrialResult,
  type TrialRow,
  trialOf,
  trialResultOf,
  type WarningRow,
} from './rows.ts';

type Value = string | number;

interface EtaTrialRow {
  readonly id: string;
  readonly config_id: string;
  readonly state: TrialStateName;
  readonly epoch: number;
  /** Null if the trial has no such parameter. */
  readonly epochs: number | string | null;
  readonly started_at: number;
  readonly ended_at: number;
}

/** No id has a greater character. */
const LAST_CHARACTER = 'char(1114111)';

/** An ambiguous selector lists up to this many trials. */
const MAX_CANDIDATES = 20;

/** Whether the trial's results come from another attempt, which ran at the same time as the attempt of row `r`. */
const IS_HIDDEN = `exists (select 1 from attempts as a where a.sweep_id = r.sweep_id and a.trial_id = r.trial_id
  and a.number = r.attempt and a.speculative = 1)`;

/** The limits of a page of rows. The row that reaches the size is the last row of its page. */
export interface PageSize {
  readonly rows: number;
  readonly bytes: number;
}

/** Where an artifact is in the order of trial, attempt and name. */
export interface ArtifactPlace {
  readonly trialId: string;
  readonly attempt: number;
  readonly name: string;
}

const FIRST_ARTIFACT: ArtifactPlace = { trialId: '', attempt: 0, name: '' };

/** Where a report is in the order of step, attempt and arrival. */
export interface ReportPlace {
  readonly epoch: number;
  readonly attempt: number;
  readonly seq: number;
}

/** A trial as two versions of a sweep file are compared. */
export interface StoredPoint {
  readonly id: string;
  readonly index: number;
  readonly seed: number;
  readonly parameters: Parameters;
  readonly state: TrialState;
  /** 0 if the current version has the point. */
  readonly droppedIn: number;
}

const POINTS_PER_PAGE = 5_000;

/**
 * SQLite assumes that a sweep has few trials, and prefers the primary key to a better index. Queries of the trials therefore
 * name their index.
 */
export class Queries {
  readonly #db: Database;
  readonly #isOffline: boolean;
  readonly #blocked: (sweepId: string) => string;
  readonly #timeLeft: (sweepId: string) => TimeLeft | undefined;
  readonly #slotTime: (sweepId: string) => SlotTime | undefined;
  /** Each statement is prepared once, when it is first used. */
  readonly #statements = new Map<string, Statement>();

  /**
   * @param isOffline whether no coordinator uses the store; sweeps, trials and attempts that have not ended are then
   * interrupted; default: false
   * @param blocked returns the reason why no trial of a sweep can run; default: there is no such reason
   * @param timeLeft returns the estimated time until a sweep ends; default: unknown
   * @param slotTime returns the slot time of a sweep that has not ended; default: only ended attempts count
   */
  constructor(
    db: Database,
    {
      isOffline = false,
      blocked = () => '',
      timeLeft = () => undefined,
      slotTime = () => undefined,
    }: {
      readonly isOffline?: boolean;
      readonly blocked?: (sweepId: string) => string;
      readonly timeLeft?: (sweepId: string) => TimeLeft | undefined;
      readonly slotTime?: (sweepId: string) => SlotTime | undefined;
    } = {},
  ) {
    this.#db = db;
    this.#isOffline = isOffline;
    this.#blocked = blocked;
    this.#timeLeft = timeLeft;
    this.#slotTime = slotTime;
  }

  sweeps(): Sweep[] {
    return this.#all<SweepRow>('select * from sweeps order by id').map((row) => this.#withCounts(row));
  }

  /** @throws {NotFoundError} */
  sweep(id: string): Sweep {
    return this.#withCounts(this.#sweepRow(id));
  }

  /**
   * Returns the sweep file as it was submitted.
   * @throws {NotFoundError}
   */
  sweepText(id: string): string {
    return this.#sweepRow(id).text;
  }

  /**
   * Returns the sweep file of a version.
   * @throws {NotFoundError}
   */
  versionText(id: string, version: number): string {
    const row = this.#sweepRow(id);
    if (version === row.version) return row.text;
    const found = this.#get<{ text: string }>(
      'select text from sweep_versions where sweep_id = ? and version = ?',
      id,
      version,
    );
    if (found === undefined) throw new NotFoundError(`sweep ${id} has versions 1 to ${row.version}, not ${version}`);
    return found.text;
  }

  /** Returns the sweep file as a new version is compared with it. @throws {NotFoundError} */
  sweepFile(id: string): { readonly version: number; readonly fileName: string; readonly text: string } {
    const { version, file_name: fileName, text } = this.#sweepRow(id);
    return { version, fileName, text };
  }

  /** Yields the points of a sweep's trials in order of index, in pages. */
  *points(sweepId: string): Generator<StoredPoint, void, void> {
    for (let last = -1; ; ) {
      const rows = this.#all<Omit<StoredPoint, 'parameters'> & { parameters: string }>(
        `select id, idx as "index", seed, parameters, state, dropped_in as droppedIn from trials
         where sweep_id = ? and idx > ? order by idx limit ${POINTS_PER_PAGE}`,
        sweepId,
        last,
      );
      if (rows.length === 0) return;
      for (const row of rows) yield { ...row, parameters: parseParameters(row.parameters) };
      last = rows.at(-1)?.index ?? last;
    }
  }

  /** Returns the number of trials that a sweep has created. */
  createdTrials(sweepId: string): number {
    const sql = 'select coalesce(sum(n), 0) as n from trial_counts where sweep_id = ?';
    return this.#get<{ n: number }>(sql, sweepId)?.n ?? 0;
  }

  /** Returns the ids of the dropped trials of a sweep, in order of index. */
  droppedTrials(sweepId: string): string[] {
    const sql = 'select id from trials where sweep_id = ? and dropped_in > 0 order by idx';
    return this.#all<{ id: string }>(sql, sweepId).map(({ id }) => id);
  }

  /** Returns the code that was submitted with a sweep; undefined if it has none. */
  source(sweepId: string): Source | undefined {
    const row = this.#get<SourceRow>('select sha256, size, files, git, diff from sources where sweep_id = ?', sweepId);
    return row && sourceOf(row);
  }

  /** Returns the rungs of early stopping that a trial has entered. */
  rungs(sweepId: string, trialId: string): Rung[] {
    const rows = this.#db
      .prepare(
        `select rung, attempt, step, value, detail as reason, at as atMs from rungs
         where sweep_id = ? and trial_id = ? order by rung`,
      )
      .all(sweepId, trialId);
    return rows as Rung[];
  }

  /** Returns a summary of the rungs of a sweep, and its early-stopping rule as text. */
  rungSummaries(sweepId: string): ListRungsResponse {
    const { earlyTerminate, ranking }: SweepPolicy = JSON.parse(this.#sweepRow(sweepId).policy);
    if (earlyTerminate === undefined) return { rule: '', rungs: [] };
    const rows = this.#all<Omit<RungEntryRow, 'isLast'> & { readonly last: number }>(
      `select r.rung, r.value, t.state, r.rung = max(r.rung) over (partition by r.trial_id) as last
       from rungs as r join trials as t on t.sweep_id = r.sweep_id and t.id = r.trial_id where r.sweep_id = ?`,
      sweepId,
    );
    const entries = rows.map(({ last, ...row }) => ({ ...row, isLast: last > 0 }));
    return {
      rule: earlyTerminateText(earlyTerminate),
      rungs: rungSummaries(entries, earlyTerminate, ranking.goal),
    };
  }

  /** Returns how the programs of a trial's attempts were started, in order of attempt. */
  programs(sweepId: string, trialId: string): ProgramStart[] {
    return this.#all<ProgramRow>(
      `select attempt, command, interpreter, python, coalesce(packages, '') as packages
       from programs left join environments on sha256 = environment
       where sweep_id = ? and trial_id = ? order by attempt`,
      sweepId,
      trialId,
    ).map((row) => ({ ...row, command: JSON.parse(row.command) }));
  }

  /** Returns the Python environments in which attempts of a sweep ran, the most frequent first; at most `limit`. */
  environments(sweepId: string, limit: number): Environment[] {
    return this.#all<EnvironmentRow>(
      `select sha256, python, packages, count(*) as attempts, json_group_array(distinct a.agent_id) as agents
       from programs as p
       join environments on sha256 = environment
       join attempts as a on a.sweep_id = p.sweep_id and a.trial_id = p.trial_id and a.number = p.attempt
       where p.sweep_id = ? group by sha256, python order by attempts desc, sha256 limit ?`,
      sweepId,
      limit,
    ).map((row) => ({ ...row, agents: (JSON.parse(row.agents) as string[]).sort() }));
  }

  /** Returns the slot time of a sweep up to now. @throws {NotFoundError} */
  slotTime(sweepId: string): SlotTime {
    const live = this.#slotTime(sweepId);
    if (live !== undefined) return live;
    const { slot_ms: slotMs, gpu_ms: gpuMs } = this.#sweepRow(sweepId);
    return { ...NO_SLOT_TIME, slotMs, gpuMs };
  }

  /** Returns whether a sweep names the code archive. */
  usesCode(sha256: string): boolean {
    return this.#get('select 1 as found from sources where sha256 = ? limit 1', sha256) !== undefined;
  }

  /**
   * Returns the id of a sweep. The selector is the id of the sweep, its name (which means the newest sweep of that
   * name), or `last` or an empty string for the newest sweep.
   * @throws {NotFoundError}
   */
  findSweep(selector: string): string {
    const found = this.#selected(selector);
    if (found !== undefined) return `${found.id}`;
    const newest = this.#all<{ id: number; name: string }>('select id, name from sweeps order by id desc limit 5');
    if (newest.length === 0) throw new NotFoundError('there are no sweeps yet');
    const known = newest.map(({ id, name }) => `${id} (${name})`).join(', ');
    throw new NotFoundError(`there is no sweep ${JSON.stringify(selector)}; the newest are ${known}`);
  }

  trials(sweepId: string): Trial[] {
    return this.#all<TrialRow>('select * from trials where sweep_id = ? order by idx', sweepId).map((row) =>
      this.#trial(row),
    );
  }

  /**
   * Returns the next trials of a sweep, in order of index, after the trial with the index `afterIndex`: at least one trial,
   * and at most those of the page size.
   */
  trialsAfter(sweepId: string, afterIndex: number, size: PageSize): { trials: Trial[]; more: boolean } {
    const { last, more } = this.#pageAfter(sweepId, afterIndex, size);
    const trials = this.#all<TrialRow>(
      'select * from trials where sweep_id = ? and idx > ? and idx <= ? order by idx',
      sweepId,
      afterIndex,
      last,
    ).map((row) => this.#trial(row));
    return { trials, more };
  }

  /** Like `trialsAfter`, but reads only the parts that rank a trial, which is several times as fast. */
  resultsAfter(sweepId: string, afterIndex: number, size: PageSize): TrialResult[] {
    const { last } = this.#pageAfter(sweepId, afterIndex, size);
    return this.#all<Pick<TrialRow, 'idx' | 'state' | 'metrics' | 'dropped_in'>>(
      'select idx, state, metrics, dropped_in from trials where sweep_id = ? and idx > ? and idx <= ? order by idx',
      sweepId,
      afterIndex,
      last,
    ).map((row) => {
      const result = trialResultOf(row);
      return this.#isOffline ? interruptedTrial(result) : result;
    });
  }

  /** Returns up to `limit` results of the sweep's metric, best first. Excludes running trials. */
  bestResults(sweepId: string, goal: GoalName, limit: number): { index: number; value: number }[] {
    return this.#all(
      `select idx as "index", value from trials where sweep_id = ? and value is not null
       order by value ${goal === 'minimize' ? 'asc' : 'desc'}, idx limit ?`,
      sweepId,
      limit,
    );
  }

  /** Returns the ids of up to `limit` configs with the best mean over their results, best first. */
  bestConfigs(sweepId: string, goal: GoalName, limit: number): string[] {
    return this.#all<{ configId: string }>(
      `select config_id as configId from trials indexed by trials_by_config
       where sweep_id = ? and value is not null
       group by config_id order by avg(value) ${goal === 'minimize' ? 'asc' : 'desc'}, min(idx) limit ?`,
      sweepId,
      limit,
    ).map(({ configId }) => configId);
  }

  /** Returns the trials of a config. */
  trialsOfConfig(sweepId: string, configId: string): Trial[] {
    return this.#all<TrialRow>(
      'select * from trials indexed by trials_by_config where sweep_id = ? and config_id = ? order by idx',
      sweepId,
      configId,
    ).map((row) => this.#trial(row));
  }

  /** Returns the running trials of a sweep, as far as their parts rank them, in order of index. */
  runningResults(sweepId: string): (TrialResult & { readonly configId: string })[] {
    return this.#all<Pick<TrialRow, 'idx' | 'state' | 'metrics' | 'dropped_in' | 'config_id'>>(
      `select idx, state, metrics, dropped_in, config_id from trials indexed by trials_by_state
       where sweep_id = ? and state = 'running' order by idx`,
      sweepId,
    ).map((row) => ({ ...trialResultOf(row), configId: row.config_id }));
  }

  /** Returns the index of the last trial of a page, and whether trials follow. SQLite finds the sizes without reading the texts. */
  #pageAfter(sweepId: string, afterIndex: number, { rows, bytes }: PageSize): { last: number; more: boolean } {
    const sizes = this.#all<{ idx: number; bytes: number }>(
      `select idx, octet_length(parameters) + octet_length(metrics) + octet_length(metric_steps) as bytes
       from trials where sweep_id = ? and idx > ? order by idx limit ?`,
      sweepId,
      afterIndex,
      rows + 1,
    );
    let sum = 0;
    let count = 0;
    while (count < Math.min(rows, sizes.length) && sum < bytes) sum += sizes[count++]?.bytes ?? 0;
    return { last: sizes[count - 1]?.idx ?? afterIndex, more: count < sizes.length };
  }

  /** Returns the trial with the index, or undefined if there is none. */
  trialAt(sweepId: string, index: number): Trial | undefined {
    const row = this.#get<TrialRow>(
      'select * from trials indexed by trials_by_index where sweep_id = ? and idx = ?',
      sweepId,
      index,
    );
    return row && this.#trial(row);
  }

  /** Returns the ids of the trials that failed with these classes (`all`: with any), and those that were cancelled. */
  retryableTrials(
    sweepId: string,
    { failures, cancelled }: { readonly failures: 'all' | readonly FailureClassName[]; readonly cancelled: boolean },
  ): string[] {
    const failed = this.#all<{ id: string }>(
      `select id from trials indexed by trials_by_state where sweep_id = ?1 and state = 'failed' and dropped_in = 0
         and (?2 = 'all' or failure_class in (select value from json_each(?3)))`,
      sweepId,
      failures === 'all' ? 'all' : '',
      JSON.stringify(failures === 'all' ? [] : failures),
    );
    const state =
      "select id from trials indexed by trials_by_state where sweep_id = ? and state = 'cancelled' and dropped_in = 0";
    return [...failed, ...(cancelled ? this.#all<{ id: string }>(state, sweepId) : [])].map(({ id }) => id);
  }

  /**
   * Returns the ids of the trials that the end of a sweep cancelled with this reason. Trials of dropped points and trials that
   * a user killed are not among them. Reads all events of the store.
   */
  trialsCancelledBy(sweepId: string, reason: string): string[] {
    return this.#all<{ id: string }>(
      `select id from trials indexed by trials_by_state where sweep_id = ?1 and state = 'cancelled' and dropped_in = 0
         and id in (select trial_id from events where sweep_id = ?1 and kind = 'cancelled' and detail = ?2) order by idx`,
      sweepId,
      reason,
    ).map(({ id }) => id);
  }

  /** Returns the ids of up to `limit` trials of a sweep whose ids begin with a prefix. */
  trialsWithPrefix(sweepId: string, prefix: string, limit: number): string[] {
    return this.#all<{ id: string }>(
      `select id from trials where sweep_id = ?1 and id >= ?2 and id < ?2 || ${LAST_CHARACTER} order by id limit ?3`,
      sweepId,
      prefix,
      limit,
    ).map(({ id }) => id);
  }

  /** Returns the ids of a sweep's trials, in order of index. */
  trialIds(sweepId: string): string[] {
    return this.#all<{ id: string }>('select id from trials where sweep_id = ? order by idx', sweepId).map(
      ({ id }) => id,
    );
  }

  /** @throws {NotFoundError} */
  trial(sweepId: string, trialId: string): Trial {
    const row = this.#get<TrialRow>('select * from trials where sweep_id = ? and id = ?', sweepId, trialId);
    if (row === undefined) throw new NotFoundError(`sweep ${sweepId} has no trial ${trialId}`);
    return this.#trial(row);
  }

  /**
   * Finds a trial. The selector is a prefix of its id, or `SWEEP/PREFIX`.
   * @param sweep selector of the sweep; empty if the trial may belong to any sweep
   * @throws {NotFoundError | BadInputError}
   * @throws {AmbiguousError} when several trials match, in one sweep or in several
   */
  findTrial(sweep: string, selector: string): { sweepId: string; trialId: string } {
    const sweepId = this.#sweepOfTrial(sweep, selector);
    const { trial: prefix } = parseTrialSelector(selector);
    const matches = this.#all<{ sweep_id: number; id: string }>(
      `select sweep_id, trials.id from sweeps cross join trials on sweep_id = sweeps.id
       where trials.id >= ?1 and trials.id < ?1 || ${LAST_CHARACTER} ${sweepId && 'and sweeps.id = ?2'}
       order by sweep_id desc, trials.id limit ${MAX_CANDIDATES + 1}`,
      prefix,
      ...(sweepId === '' ? [] : [sweepId]),
    );
    const [match, other] = matches;
    if (match === undefined || prefix === '') {
      throw new NotFoundError(`there is no trial ${JSON.stringify(prefix)}${sweepId && ` in sweep ${sweepId}`}`);
    }
    if (other !== undefined) {
      const shown = matches.slice(0, MAX_CANDIDATES).map(({ sweep_id, id }) => trialSelector(`${sweep_id}`, id));
      const more = matches.length > MAX_CANDIDATES ? ', ...' : '';
      throw new AmbiguousError(`trial ${prefix} is ambiguous; choose one of ${shown.join(', ')}${more}`);
    }
    return { sweepId: `${match.sweep_id}`, trialId: match.id };
  }

  /** Returns the id of the sweep that the selectors name; empty if they name none. */
  #sweepOfTrial(sweep: string, selector: string): string {
    const named = parseTrialSelector(selector).sweep;
    const given = sweep === '' ? '' : this.findSweep(sweep);
    if (named === undefined) return given;
    const found = this.findSweep(named);
    if (given === '' || given === found) return found;
    throw new BadInputError(`${selector} is a trial of sweep ${found}, but the command names sweep ${given}`);
  }

  /** Returns the result of an earlier retry request, or undefined if the store has no such request. */
  retried(requestId: string): { sweepId: string; trials: number } | undefined {
    return this.#get(
      `select cast(sweep_id as text) as sweepId, count(*) as trials from retries where request_id = ?
       group by sweep_id`,
      requestId,
    );
  }

  /** Returns the parts of a grant that the sweep and the trial define. */
  assignment(sweepId: string, trialId: string): { trainer: string; parameters: Trial['parameters']; seed: number } {
    const row = this.#get<{ trainer: string; parameters: string; seed: number }>(
      `select trainer, parameters, seed from trials join sweeps on sweeps.id = trials.sweep_id
       where sweep_id = ? and trials.id = ?`,
      sweepId,
      trialId,
    );
    if (row === undefined) throw new NotFoundError(`sweep ${sweepId} has no trial ${trialId}`);
    const parameters = toWire(parseParameters(row.parameters));
    return { trainer: row.trainer, parameters, seed: row.seed };
  }

  attempts(sweepId: string, trialId: string): Attempt[] {
    return this.#all<AttemptRow>(
      'select * from attempts where sweep_id = ? and trial_id = ? order by number',
      sweepId,
      trialId,
    ).map((row) => (this.#isOffline ? interruptedAttempt(attemptOf(row)) : attemptOf(row)));
  }

  /**
   * Returns the places of up to `limit` reports of these attempts after a place, in order of step, attempt and arrival.
   * Reads every report of the attempts, but keeps only `limit` places in memory.
   */
  reportPlaces(
    sweepId: string,
    trialId: string,
    {
      attempts,
      after,
      limit,
    }: { readonly attempts: readonly number[]; readonly after: ReportPlace; readonly limit: number },
  ): (ReportPlace & { readonly bytes: number })[] {
    return this.#all(
      `select epoch, attempt, seq, octet_length(metrics) as bytes from reports
       where sweep_id = ?1 and trial_id = ?2 and attempt in (select value from json_each(?3))
         and (epoch, attempt, seq) > (?4, ?5, ?6) order by epoch, attempt, seq limit ?7`,
      sweepId,
      trialId,
      JSON.stringify(attempts),
      after.epoch,
      after.attempt,
      after.seq,
      limit,
    );
  }

  /** Returns the reports at these places, in their order. */
  reportsAt(sweepId: string, trialId: string, places: readonly Pick<ReportPlace, 'attempt' | 'seq'>[]): Report[] {
    return this.#all<ReportRow>(
      `select r.trial_id, r.attempt, r.epoch, r.at, r.metrics from json_each(?3) as place cross join reports as r
       where r.sweep_id = ?1 and r.trial_id = ?2 and r.attempt = place.value ->> 0 and r.seq = place.value ->> 1
       order by place.key`,
      sweepId,
      trialId,
      JSON.stringify(places.map(({ attempt, seq }) => [attempt, seq])),
    ).map(reportOf);
  }

  /** Returns the smallest and the largest finite value that any attempt of the sweep reported, per metric. */
  extremes(sweepId: string): { metric: string; least: number; greatest: number }[] {
    return this.#all(
      `select value.key as metric, min(value.value) as least, max(value.value) as greatest
       from reports, json_each(reports.metrics) as value
       where sweep_id = ? and value.type in ('integer', 'real') and abs(value.value) < 9e999 group by value.key`,
      sweepId,
    );
  }

  /** Returns the time of the sweep's newest report in Unix milliseconds, or undefined if there is none. */
  lastReportAt(sweepId: string): number | undefined {
    const sql = 'select max(at) as at from reports where sweep_id = ?';
    return this.#get<{ at: number | null }>(sql, sweepId)?.at ?? undefined;
  }

  /**
   * Returns up to `limit` artifacts of a trial, or of every trial if `trialId` is empty, after the artifact `after`, in order of
   * trial, attempt and name. Omits checkpoints, and artifacts of speculative attempts that still run or were superseded.
   */
  artifacts(
    sweepId: string,
    trialId: string,
    { after = FIRST_ARTIFACT, limit }: { readonly after?: ArtifactPlace; readonly limit: number },
  ): { trialId: string; artifact: Artifact }[] {
    return this.#all<ArtifactRow>(
      `select * from artifacts as r where sweep_id = ?1 ${trialId && 'and trial_id = ?6'} and kind <> 'checkpoint'
         and not ${IS_HIDDEN} and (trial_id, attempt, name) > (?2, ?3, ?4) order by trial_id, attempt, name limit ?5`,
      sweepId,
      after.trialId,
      after.attempt,
      after.name,
      limit,
      ...(trialId === '' ? [] : [trialId]),
    ).map((row) => ({ trialId: row.trial_id, artifact: artifactOf(row) }));
  }

  /**
   * Returns an artifact of a trial by name. Attempt 0 means the newest attempt that has such an artifact. Speculative
   * attempts that still run or were superseded do not count.
   * @throws {NotFoundError}
   */
  artifact(sweepId: string, trialId: string, attempt: number, name: string): Artifact {
    const row = this.#get<ArtifactRow>(
      `select * from artifacts as r where sweep_id = ?1 and trial_id = ?2 and name = ?4
         and (attempt = ?3 or (?3 = 0 and not ${IS_HIDDEN})) order by attempt desc limit 1`,
      sweepId,
      trialId,
      attempt,
      name,
    );
    if (row === undefined) throw new NotFoundError(`trial ${trialId} has no artifact ${JSON.stringify(name)}`);
    return artifactOf(row);
  }

  /** Returns the trials of a sweep as an estimate of the time left needs them, in the order in which they start. */
  etaTrials(sweepId: string): EtaTrial[] {
    return this.#all<EtaTrialRow>(
      `select id, config_id, state, epoch, started_at, ended_at, json_extract(parameters, '$.epochs') as epochs
       from trials where sweep_id = ? order by idx`,
      sweepId,
    ).map(({ id, config_id, state, epoch, epochs, started_at, ended_at }) => ({
      ...{ id, configId: config_id, state: phaseOf(state), epoch },
      epochs: typeof epochs === 'number' && epochs > 0 ? epochs : undefined,
      startedAtMs: started_at,
      endedAtMs: ended_at,
    }));
  }

  /** Returns whether a row names the file. */
  hasArtifact({ sweepId, trialId, attempt }: AttemptKey, name: string): boolean {
    const sql = 'select 1 as found from artifacts where sweep_id = ? and trial_id = ? and attempt = ? and name = ?';
    return this.#get(sql, sweepId, trialId, attempt, name) !== undefined;
  }

  /** Returns the number of an attempt's artifacts, checkpoints included. */
  artifactCount({ sweepId, trialId, attempt }: AttemptKey): number {
    const sql = 'select count(*) as n from artifacts where sweep_id = ? and trial_id = ? and attempt = ?';
    return this.#get<{ n: number }>(sql, sweepId, trialId, attempt)?.n ?? 0;
  }

  /** Returns up to 500 records of log text after the record `afterSeq`, in order. */
  log(sweepId: string, trialId: string, attempt: number, afterSeq: number): { seq: number; text: string }[] {
    return this.#all(
      `select seq, text from logs where sweep_id = ? and trial_id = ? and attempt = ? and seq > ?
       order by seq limit 500`,
      sweepId,
      trialId,
      attempt,
      afterSeq,
    );
  }

  /**
   * Returns up to `limit` events after the event `seq`, in order: events of the sweep, and events of agents from before
   * the end of the sweep.
   */
  eventsAfter(sweepId: string, seq: number, limit: number): Event[] {
    return this.#all(
      `select e.seq, e.at as atMs, cast(e.sweep_id as text) as sweepId, e.trial_id as trialId, e.attempt, e.kind, e.detail,
         e.by, e.agent_id as agentId
       from events as e join sweeps as s on s.id = ?2
       where e.seq > ?1 and (e.sweep_id = ?2
         or (e.sweep_id = 0 and e.at >= s.created_at and (s.ended_at = 0 or e.at <= s.ended_at)))
       order by e.seq limit ?3`,
      seq,
      sweepId,
      limit,
    );
  }

  /** Returns the sequence number of the newest event of all sweeps, or 0 if there is none. */
  lastEvent(): number {
    return this.#get<{ seq: number }>('select coalesce(max(seq), 0) as seq from events')?.seq ?? 0;
  }

  #selected(selector: string): { id: number } | undefined {
    if (selector === 'last' || selector === '') return this.#get('select id from sweeps order by id desc limit 1');
    if (/^\d+$/.test(selector)) return this.#get('select id from sweeps where id = ?', selector);
    return this.#get('select id from sweeps where name = ? order by id desc limit 1', selector);
  }

  #sweepRow(id: string): SweepRow {
    const row = this.#get<SweepRow>('select * from sweeps where id = ?', id);
    if (row === undefined) throw new NotFoundError(`there is no sweep ${id}`);
    return row;
  }

  #withCounts(row: SweepRow): Sweep {
    const created = this.#all<StateCountRow>('select state, n from trial_counts where sweep_id = ?', row.id);
    const dropped = this.#all<StateCountRow>('select state, n from dropped_counts where sweep_id = ?', row.id);
    const warnings = this.#all<WarningRow>(
      'select kind, message, count, since from warnings where sweep_id = ? order by since, kind',
      row.id,
    );
    const stored = sweepOf(row, created, dropped, warnings);
    const { id, slotTime } = stored;
    const live = { blocked: this.#blocked(id), timeLeft: this.#timeLeft(id) };
    const sweep = { ...stored, ...live, slotTime: this.#slotTime(id) ?? slotTime };
    return this.#isOffline ? interruptedSweep(sweep) : sweep;
  }

  #trial(row: TrialRow): Trial {
    return this.#isOffline ? interruptedTrial(trialOf(row)) : trialOf(row);
  }

  #prepared(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #all<Row>(sql: string, ...values: readonly Value[]): Row[] {
    return this.#prepared(sql).all(...values) as Row[];
  }

  #get<Row>(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.#prepared(sql).get(...values) as Row | undefined;
  }
}
