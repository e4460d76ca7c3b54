/** Reads the trials of a sweep, for users and for decisions of the coordinator. */
import { epochsOf } from '../../lib/domain/epoch-times.ts';
import { type EtaTrial, phaseOf } from '../../lib/domain/eta.ts';
import { interruptedTrial } from '../../lib/domain/interrupted.ts';
import { lastStartMs } from '../../lib/domain/slot-time.ts';
import { NotFoundError } from '../../proto/errors.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { FailureClassName, GoalName, TrialStateName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { parseParameters } from '../../proto/values.ts';
import { type FinalState, isFinal, type TrialState } from '../core/trial-model.ts';
import { rowsOfIds, sweepNumber } from './dialect.ts';
import type { Reader } from './reader.ts';
import { type TrialResult, type TrialRow, trialOf, trialResultOf } from './rows.ts';

interface EtaTrialRow {
  readonly idx: number;
  readonly id: string;
  readonly config_id: string;
  readonly state: TrialStateName;
  readonly epoch: number;
  readonly parameters: string;
  readonly started_at: number;
  readonly leased_ms: number;
  readonly ended_at: number;
}

const TRIAL_STATES = ['pending', 'offered', 'running', 'succeeded', 'stopped', 'failed', 'cancelled'] as const;

/** An estimate of the time left uses the epoch durations of up to this many ended trials per state. */
const MAX_MEASURED_TRIALS = 2_000;

/** The maximum number of rows in a page, and their maximum total size. The last row can exceed the size limit. */
export interface PageSize {
  readonly rows: number;
  readonly bytes: number;
}

/** The fields of a trial that are needed to compare two versions of a sweep file. */
export interface StoredPoint {
  readonly id: string;
  readonly index: number;
  readonly seed: number;
  readonly parameters: Parameters;
  readonly state: TrialState;
  /** The number of the version that dropped the point; 0 if the current version has the point. */
  readonly droppedIn: number;
}

const POINTS_PER_PAGE = 5_000;

export class TrialQueries {
  readonly #reader: Reader;
  readonly #isOffline: boolean;

  constructor(reader: Reader, isOffline: boolean) {
    this.#reader = reader;
    this.#isOffline = isOffline;
  }

  async all(sweepId: string): Promise<Trial[]> {
    const rows = await this.#reader.all<TrialRow>('select * from trials where sweep_id = ? order by idx', sweepId);
    return rows.map((row) => this.#trial(row));
  }

  /** @throws {NotFoundError} */
  async get(sweepId: string, trialId: string): Promise<Trial> {
    const sql = 'select * from trials where sweep_id = ? and id = ?';
    const row = await this.#reader.get<TrialRow>(sql, sweepNumber(sweepId), trialId);
    if (row === undefined) throw new NotFoundError(`sweep ${sweepId} has no trial ${trialId}`);
    return this.#trial(row);
  }

  /** Returns the trials with the given ids that exist, in any order. */
  async byIds(sweepId: string, ids: readonly string[]): Promise<Trial[]> {
    const rows = await this.#reader.all<TrialRow>(
      `select trials.* from ${this.#reader.dialect.rows('?2', 'wanted')} cross join trials
       where sweep_id = ?1 and trials.id = wanted.value ->> 0`,
      sweepId,
      rowsOfIds(ids),
    );
    return rows.map((row) => this.#trial(row));
  }

  /** Of the trials with the given ids, counts those that have ended, by state. */
  async endedStates(sweepId: string, ids: readonly string[]): Promise<Partial<Record<FinalState, number>>> {
    if (ids.length === 0) return {};
    const rows = await this.#reader.all<{ state: TrialState; n: number }>(
      `select state, count(*) as n from ${this.#reader.dialect.rows('?2', 'wanted')} cross join trials as t
       where sweep_id = ?1 and t.id = wanted.value ->> 0 group by state`,
      sweepId,
      rowsOfIds(ids),
    );
    return Object.fromEntries(rows.flatMap(({ state, n }) => (isFinal(state) ? [[state, n]] : [])));
  }

  /** Returns the given ids for which the sweep has a trial. */
  async existing(sweepId: string, ids: readonly string[]): Promise<Set<string>> {
    const rows = await this.#reader.all<{ id: string }>(
      `select trials.id from ${this.#reader.dialect.rows('?2', 'wanted')} cross join trials
       where sweep_id = ?1 and trials.id = wanted.value ->> 0`,
      sweepId,
      rowsOfIds(ids),
    );
    return new Set(idsOf(rows));
  }

  /** Returns the trials with the given indices that exist, in any order. */
  async byIndices(sweepId: string, indices: readonly number[]): Promise<Trial[]> {
    const rows = await this.#reader.all<TrialRow>(
      `select trials.*
       from ${this.#reader.dialect.rows('?2', 'wanted')} cross join trials ${this.#index('trials_by_index')}
       where sweep_id = ?1 and idx = cast(wanted.value ->> 0 as bigint)`,
      sweepId,
      rowsOfIds(indices),
    );
    return rows.map((row) => this.#trial(row));
  }

  /** Returns the trial with the index, or undefined if no such trial exists. */
  async at(sweepId: string, index: number): Promise<Trial | undefined> {
    const row = await this.#reader.get<TrialRow>(
      `select * from trials ${this.#index('trials_by_index')} where sweep_id = ? and idx = ?`,
      sweepId,
      index,
    );
    return row && this.#trial(row);
  }

  /**
   * Returns the trials of a sweep after the trial with the index `afterIndex`, in order of index. If any trials follow,
   * returns at least one trial, and at most as many as the page size allows.
   */
  async after(sweepId: string, afterIndex: number, size: PageSize): Promise<{ trials: Trial[]; more: boolean }> {
    const { last, more } = await this.#pageAfter(sweepId, afterIndex, size);
    const rows = await this.#reader.all<TrialRow>(
      'select * from trials where sweep_id = ? and idx > ? and idx <= ? order by idx',
      sweepId,
      afterIndex,
      last,
    );
    return { trials: rows.map((row) => this.#trial(row)), more };
  }

  /**
   * Returns the same trials as `after`, but reads only the fields that determine the rank of a trial, and is therefore
   * several times as fast.
   */
  async resultsAfter(sweepId: string, afterIndex: number, size: PageSize): Promise<TrialResult[]> {
    const { last } = await this.#pageAfter(sweepId, afterIndex, size);
    const rows = await this.#reader.all<Pick<TrialRow, 'idx' | 'state' | 'metrics' | 'dropped_in'>>(
      'select idx, state, metrics, dropped_in from trials where sweep_id = ? and idx > ? and idx <= ? order by idx',
      sweepId,
      afterIndex,
      last,
    );
    return rows.map((row) => {
      const result = trialResultOf(row);
      return this.#isOffline ? interruptedTrial(result) : result;
    });
  }

  /**
   * Returns the index of the last trial of a page, and whether further trials follow. SQLite computes `octet_length`
   * without reading the text itself.
   */
  async #pageAfter(
    sweepId: string,
    afterIndex: number,
    { rows, bytes }: PageSize,
  ): Promise<{ last: number; more: boolean }> {
    const sizes = await this.#reader.all<{ idx: number; bytes: number }>(
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

  /** Returns up to `limit` results of the sweep's metric, best first. Running trials are excluded. */
  bestResults(sweepId: string, goal: GoalName, limit: number): Promise<{ index: number; value: number }[]> {
    return this.#reader.all(
      `select idx as "index", value from trials where sweep_id = ? and value is not null
       order by value ${goal === 'minimize' ? 'asc' : 'desc'}, idx limit ?`,
      sweepId,
      limit,
    );
  }

  /**
   * Returns the ids of up to `limit` configs with the best results, best first. Returns no config if the sweep has no
   * replicates (config-results.ts). Configs with almost equal means may be in a different order than in a ranking,
   * which rounds the means differently.
   */
  async bestConfigs(sweepId: string, goal: GoalName, limit: number): Promise<string[]> {
    const rows = await this.#reader.all<{ configId: string }>(
      `select config_id as "configId" from config_results ${this.#index('configs_by_value')}
       where sweep_id = ? and value is not null
       order by value ${goal === 'minimize' ? 'asc' : 'desc'}, idx limit ?`,
      sweepId,
      limit,
    );
    return rows.map(({ configId }) => configId);
  }

  /** Returns the trials of the configs, in order of index. */
  async ofConfigs(sweepId: string, configIds: readonly string[]): Promise<Trial[]> {
    const rows = await this.#reader.all<TrialRow>(
      `select trials.*
       from ${this.#reader.dialect.rows('?2', 'wanted')} cross join trials ${this.#index('trials_by_config')}
       where sweep_id = ?1 and config_id = wanted.value ->> 0 order by idx`,
      sweepId,
      rowsOfIds(configIds),
    );
    return rows.map((row) => this.#trial(row));
  }

  /** Returns the running trials of a sweep, with the fields that determine their ranks, in order of index. */
  async runningResults(sweepId: string): Promise<(TrialResult & { readonly configId: string })[]> {
    const rows = await this.#reader.all<Pick<TrialRow, 'idx' | 'state' | 'metrics' | 'dropped_in' | 'config_id'>>(
      `select idx, state, metrics, dropped_in, config_id from trials ${this.#index('trials_by_state')}
         where sweep_id = ? and state = 'running' order by idx`,
      sweepId,
    );
    return rows.map((row) => ({ ...trialResultOf(row), configId: row.config_id }));
  }

  /** Yields the points of a sweep's trials in order of index, in pages. */
  async *points(sweepId: string): AsyncGenerator<StoredPoint, void, void> {
    for (let last = -1; ; ) {
      const rows = await this.#reader.all<Omit<StoredPoint, 'parameters'> & { parameters: string }>(
        `select id, idx as "index", seed, parameters, state, dropped_in as "droppedIn" from trials
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
  async created(sweepId: string): Promise<number> {
    const sql = 'select coalesce(sum(n), 0) as n from trial_counts where sweep_id = ?';
    const row = await this.#reader.get<{ n: number }>(sql, sweepId);
    return row?.n ?? 0;
  }

  /** Returns the ids of the dropped trials of a sweep, in order of index. */
  async droppedIds(sweepId: string): Promise<string[]> {
    const sql = 'select id from trials where sweep_id = ? and dropped_in > 0 order by idx';
    return idsOf(await this.#reader.all(sql, sweepId));
  }

  /** Returns the ids of a sweep's trials, in order of index. */
  async ids(sweepId: string): Promise<string[]> {
    return idsOf(await this.#reader.all('select id from trials where sweep_id = ? order by idx', sweepId));
  }

  /**
   * Returns the ids of the trials that failed with one of these classes (`all` means any class) and, on request, the
   * ids of the cancelled trials. Trials of dropped points are not included.
   */
  async retryableIds(
    sweepId: string,
    { failures, cancelled }: { readonly failures: 'all' | readonly FailureClassName[]; readonly cancelled: boolean },
  ): Promise<string[]> {
    const failed = await this.#reader.all<{ id: string }>(
      `select id from trials ${this.#index('trials_by_state')} where sweep_id = ?1 and state = 'failed' and dropped_in = 0
         and (?2 = 'all' or failure_class in (
           select wanted.value ->> 0 from ${this.#reader.dialect.rows('?3', 'wanted')})) order by id`,
      sweepId,
      failures === 'all' ? 'all' : '',
      rowsOfIds(failures === 'all' ? [] : failures),
    );
    if (!cancelled) return idsOf(failed);
    const rows = await this.#reader.all<{ id: string }>(
      `select id from trials ${this.#index('trials_by_state')}
       where sweep_id = ? and state = 'cancelled' and dropped_in = 0 order by id`,
      sweepId,
    );
    return idsOf([...failed, ...rows]);
  }

  /**
   * Returns the ids of the trials that were cancelled with this reason. Trials of dropped points, and trials that were
   * cancelled for another reason, are not included. Reads only the events since shortly before the last stop of the
   * sweep.
   */
  async cancelledBy(sweepId: string, reason: string): Promise<string[]> {
    const rows = await this.#reader.all<{ id: string }>(
      // The step that stops the sweep also cancels these trials. In this step, at most one event per cancelled trial
      // precedes the event of the stop.
      `select id from trials ${this.#index('trials_by_state')}
         where sweep_id = ?1 and state = 'cancelled' and dropped_in = 0
           and id in (
             select trial_id from events where seq >= (
                 select seq from events where sweep_id = ?1 and kind = 'sweep stopping' order by seq desc limit 1
               ) - coalesce((select n from trial_counts where sweep_id = ?1 and state = 'cancelled'), 0)
               and sweep_id = ?1 and kind = 'cancelled' and detail = ?2
           ) order by idx`,
      sweepId,
      reason,
    );
    return idsOf(rows);
  }

  /** Returns the result of an earlier retry request, or undefined if the store has no request with this id. */
  retried(requestId: string): Promise<{ sweepId: string; trials: number } | undefined> {
    return this.#reader.get(
      `select cast(sweep_id as text) as "sweepId", count(*) as trials from retries where request_id = ?
       group by sweep_id`,
      requestId,
    );
  }

  /**
   * Returns the trials that are needed to estimate the time left of a sweep: all trials that have not ended, and up to
   * `maxEnded` ended trials per state. The trials are in order of index. Ended trials are chosen by id, which is
   * independent of their durations.
   */
  async etaTrials(sweepId: string, maxEnded = MAX_MEASURED_TRIALS): Promise<EtaTrial[]> {
    const rows: EtaTrialRow[] = [];
    for (const state of TRIAL_STATES) {
      const limit = isFinal(state) ? maxEnded : Number.MAX_SAFE_INTEGER;
      for (const row of await this.#etaTrialsIn(sweepId, state, limit)) rows.push(row);
    }
    return rows
      .sort((a, b) => a.idx - b.idx)
      .map(({ id, config_id, state, epoch, parameters: text, started_at, ended_at, leased_ms }) => {
        const parameters = parseParameters(text);
        const progress = { state: phaseOf(state), epoch, epochs: epochsOf(parameters) };
        const startedAtMs = lastStartMs({ startedAtMs: started_at, endedAtMs: ended_at, leasedMs: leased_ms });
        return { id, configId: config_id, parameters, ...progress, startedAtMs, endedAtMs: ended_at };
      });
  }

  #etaTrialsIn(sweepId: string, state: TrialState, limit: number): Promise<EtaTrialRow[]> {
    return this.#reader.all<EtaTrialRow>(
      `select idx, id, config_id, state, epoch, started_at, ended_at, leased_ms, parameters
       from trials ${this.#index('trials_by_state')} where sweep_id = ? and state = ? order by id limit ?`,
      sweepId,
      state,
      limit,
    );
  }

  #index(name: string): string {
    return this.#reader.dialect.index(name);
  }

  #trial(row: TrialRow): Trial {
    return this.#isOffline ? interruptedTrial(trialOf(row)) : trialOf(row);
  }
}

function idsOf(rows: readonly { readonly id: string }[]): string[] {
  return rows.map(({ id }) => id);
}
