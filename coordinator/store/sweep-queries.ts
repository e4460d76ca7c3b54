/** Reads sweeps, their files, events and summaries. */
import { group } from 'd3-array';
import type { TimeLeft } from '../../lib/domain/eta.ts';
import { interruptedSweep } from '../../lib/domain/interrupted.ts';
import { NO_SLOT_TIME } from '../../lib/domain/slot-time.ts';
import { NotFoundError } from '../../proto/errors.ts';
import type { Environment, Event, SlotShare, SlotTime, Source, Sweep } from '../../proto/gen/trawl/v1/types.ts';
import type { SweepStateName, TrialStateName } from '../../proto/names.ts';
import type { SweepPolicy } from '../core/policy.ts';
import { rowsOfIds, sweepNumber } from './dialect.ts';
import type { Reader } from './reader.ts';
import {
  type EnvironmentRow,
  type SourceRow,
  type StateCountRow,
  type SweepRow,
  sourceOf,
  sweepOf,
  type WarningRow,
} from './rows.ts';

/** In-memory facts about a sweep; the store does not contain them. */
export interface LiveFacts {
  /** Returns the reason why no trial of a sweep can run; empty if there is no such reason. */
  readonly blocked: (sweepId: string) => string;
  /** Returns the estimated time until a sweep ends; undefined if the time is unknown. */
  readonly timeLeft: (sweepId: string) => Promise<TimeLeft | undefined>;
  /** Returns the estimated slot time that a sweep will still use; undefined if the slot time is unknown. */
  readonly slotTimeLeft: (sweepId: string) => Promise<TimeLeft | undefined>;
  /** Returns the slots that a sweep gets from the scheduler; undefined if they are unknown. */
  readonly slotShare: (sweepId: string) => Promise<SlotShare | undefined>;
  /** Returns the slot time of a sweep up to now; undefined for an ended sweep, whose slot time is in the store. */
  readonly slotTime: (sweepId: string) => SlotTime | undefined;
}

/** The trial and the rung that identify an entry of `rungEntries`. */
interface RungPlace {
  readonly trialId: string;
  readonly rung: number;
}

export class SweepQueries {
  readonly #reader: Reader;
  readonly #isOffline: boolean;
  readonly #live: LiveFacts;

  constructor(reader: Reader, isOffline: boolean, live: LiveFacts) {
    this.#reader = reader;
    this.#isOffline = isOffline;
    this.#live = live;
  }

  async all(): Promise<Sweep[]> {
    return this.#withCounts(await this.#reader.all<SweepRow>('select * from sweeps order by id'));
  }

  /** @throws {NotFoundError} */
  async get(id: string): Promise<Sweep> {
    const [sweep] = await this.#withCounts([await this.#sweepRow(id)]);
    if (sweep === undefined) throw notFound(id);
    return sweep;
  }

  /**
   * Returns only the state of a sweep. This is faster than `get`, which reads many trials to estimate the time left.
   * @throws {NotFoundError}
   */
  async state(id: string): Promise<SweepStateName> {
    return (await this.#sweepRow(id)).state;
  }

  /**
   * Returns the text of the current version of the sweep file, exactly as the user wrote it.
   * @throws {NotFoundError}
   */
  async text(id: string): Promise<string> {
    return (await this.#sweepRow(id)).text;
  }

  /**
   * Returns the text of a version of the sweep file.
   * @throws {NotFoundError}
   */
  async versionText(id: string, version: number): Promise<string> {
    const row = await this.#sweepRow(id);
    if (version === row.version) return row.text;
    const found = await this.#reader.get<{ text: string }>(
      'select text from sweep_versions where sweep_id = ? and version = ?',
      id,
      version,
    );
    if (found === undefined) throw new NotFoundError(`sweep ${id} has versions 1 to ${row.version}, not ${version}`);
    return found.text;
  }

  /**
   * Returns the number, the file name and the text of the current version of the sweep file.
   * @throws {NotFoundError}
   */
  async file(id: string): Promise<{ readonly version: number; readonly fileName: string; readonly text: string }> {
    const { version, file_name: fileName, text } = await this.#sweepRow(id);
    return { version, fileName, text };
  }

  /** Returns the code archive that was submitted with a sweep; undefined if the sweep has no code. */
  async source(sweepId: string): Promise<Source | undefined> {
    const row = await this.#reader.get<SourceRow>(
      'select sha256, size, files, git, diff from sources where sweep_id = ?',
      sweepId,
    );
    return row && sourceOf(row);
  }

  /** Returns the ids of the sweeps that use the code archive. */
  async withCode(sha256: string): Promise<string[]> {
    const sql = 'select cast(sweep_id as text) as id from sources where sha256 = ?';
    return (await this.#reader.all<{ id: string }>(sql, sha256)).map(({ id }) => id);
  }

  /** Returns whether the sweep exists and has not ended. */
  async isUnfinished(sweepId: string): Promise<boolean> {
    const sql = "select 1 as found from sweeps where id = ? and state not in ('finished', 'stopped', 'killed')";
    return (await this.#reader.get(sql, sweepNumber(sweepId))) !== undefined;
  }

  /** Returns whether any sweep uses the code archive. */
  async usesCode(sha256: string): Promise<boolean> {
    return (await this.#reader.get('select 1 as found from sources where sha256 = ? limit 1', sha256)) !== undefined;
  }

  /**
   * Returns up to `limit` Python environments in which attempts of a sweep ran. The environments with the most attempts
   * come first.
   */
  async environments(sweepId: string, limit: number): Promise<Environment[]> {
    const rows = await this.#reader.all<EnvironmentRow>(
      `select sha256, python, packages, count(*) as attempts
       from programs as p join environments on sha256 = p.environment
       where p.sweep_id = ? group by sha256, python order by attempts desc, sha256, python limit ?`,
      sweepId,
      limit,
    );
    const agents = await this.#reader.all<Pick<EnvironmentRow, 'sha256' | 'python'> & { readonly agentId: string }>(
      `select distinct p.environment as sha256, p.python, a.agent_id as "agentId"
       from programs as p
       join attempts as a on a.sweep_id = p.sweep_id and a.trial_id = p.trial_id and a.number = p.attempt
       where p.sweep_id = ?1 and p.environment in (
         select wanted.value ->> 0 from ${this.#reader.dialect.rows('?2', 'wanted')})
       order by "agentId"`,
      sweepId,
      rowsOfIds(rows.map(({ sha256 }) => sha256)),
    );
    const ran = (row: EnvironmentRow) =>
      agents.flatMap(({ sha256, python, agentId }) =>
        sha256 === row.sha256 && python === row.python ? [agentId] : [],
      );
    return rows.map((row) => ({ ...row, agents: ran(row) }));
  }

  /**
   * Returns the settings of a sweep that the scheduler and the search use.
   * @throws {NotFoundError}
   */
  async policy(sweepId: string): Promise<SweepPolicy> {
    return JSON.parse((await this.#sweepRow(sweepId)).policy);
  }

  /**
   * Returns one entry for each trial and each rung that the trial has reached: the value that was compared at the rung,
   * and the current state of the trial. Returns up to `limit` entries that follow `after`, in order of trial and rung.
   */
  rungEntries(sweepId: string, after: RungPlace, limit: number) {
    return this.#reader.all<RungPlace & { readonly value: number; readonly state: TrialStateName }>(
      `select r.trial_id as "trialId", r.rung, r.value, t.state
       from rungs as r cross join trials as t
       where r.sweep_id = ? and t.sweep_id = r.sweep_id and t.id = r.trial_id and (r.trial_id, r.rung) > (?, ?)
       order by r.trial_id, r.rung limit ?`,
      sweepId,
      after.trialId,
      after.rung,
      limit,
    );
  }

  /**
   * Returns the slot time of a sweep up to now.
   * @throws {NotFoundError}
   */
  async slotTime(sweepId: string): Promise<SlotTime> {
    const live = this.#live.slotTime(sweepId);
    if (live !== undefined) return live;
    const { slot_ms: slotMs, gpu_ms: gpuMs } = await this.#sweepRow(sweepId);
    return { ...NO_SLOT_TIME, slotMs, gpuMs };
  }

  /**
   * Returns up to `limit` events after the event `seq`, in order. Includes the events of the sweep, and the events of
   * agents between the submission and the end of the sweep.
   */
  eventsAfter(sweepId: string, seq: number, limit: number): Promise<Event[]> {
    return this.#reader.all(
      `select e.seq, e.at as "atMs", cast(e.sweep_id as text) as "sweepId", e.trial_id as "trialId", e.attempt, e.kind,
         e.detail, e.by, e.agent_id as "agentId"
       from events as e join sweeps as s on s.id = ?2
       where e.seq > ?1 and (e.sweep_id = ?2
         or (e.sweep_id = 0 and e.at >= s.created_at and (s.ended_at = 0 or e.at <= s.ended_at)))
       order by e.seq limit ?3`,
      seq,
      sweepId,
      limit,
    );
  }

  /** Returns the sequence number of the newest event of all sweeps, or 0 if no event exists. */
  async lastEvent(): Promise<number> {
    const row = await this.#reader.get<{ seq: number }>('select coalesce(max(seq), 0) as seq from events');
    return row?.seq ?? 0;
  }

  async #sweepRow(id: string): Promise<SweepRow> {
    const row = await this.#reader.get<SweepRow>('select * from sweeps where id = ?', sweepNumber(id));
    if (row === undefined) throw notFound(id);
    return row;
  }

  async #withCounts(rows: readonly SweepRow[]): Promise<Sweep[]> {
    const ids = rowsOfIds(rows.map(({ id }) => id));
    const ofSweeps = `from ${this.#reader.dialect.rows('?1', 'wanted')} cross join`;
    const isWanted = 'sweep_id = cast(wanted.value ->> 0 as bigint)';
    const created = await this.#reader.all<StateCountRow & OfSweep>(
      `select sweep_id, state, n ${ofSweeps} trial_counts where ${isWanted}`,
      ids,
    );
    const dropped = await this.#reader.all<StateCountRow & OfSweep>(
      `select sweep_id, state, n ${ofSweeps} dropped_counts where ${isWanted}`,
      ids,
    );
    const warnings = await this.#reader.all<WarningRow & OfSweep>(
      `select sweep_id, kind, message, count, since ${ofSweeps} warnings where ${isWanted} order by since, kind`,
      ids,
    );
    const [createdOf, droppedOf, warningsOf] = [bySweep(created), bySweep(dropped), bySweep(warnings)];
    const sweeps: Sweep[] = [];
    for (const row of rows) {
      const stored = sweepOf(
        row,
        createdOf.get(row.id) ?? [],
        droppedOf.get(row.id) ?? [],
        warningsOf.get(row.id) ?? [],
      );
      sweeps.push(await this.#withLive(stored));
    }
    return sweeps;
  }

  /** Adds the facts that exist only in memory. */
  async #withLive(stored: Sweep): Promise<Sweep> {
    const { id, slotTime } = stored;
    const live = {
      blocked: this.#live.blocked(id),
      timeLeft: await this.#live.timeLeft(id),
      slotTimeLeft: await this.#live.slotTimeLeft(id),
      slotShare: await this.#live.slotShare(id),
    };
    const sweep = { ...stored, ...live, slotTime: this.#live.slotTime(id) ?? slotTime };
    return this.#isOffline ? interruptedSweep(sweep) : sweep;
  }
}

interface OfSweep {
  readonly sweep_id: number;
}

function bySweep<Row extends OfSweep>(rows: readonly Row[]): Map<number, Row[]> {
  return group(rows, ({ sweep_id }) => sweep_id);
}

function notFound(id: string): NotFoundError {
  return new NotFoundError(`there is no sweep ${id}`);
}
