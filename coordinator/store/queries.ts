/** What the store holds, as the wire's messages. Reads see durable rows only. */
import type { Database } from 'libsql';
import { toWire } from '../../lib/domain/parameters.ts';
import { AmbiguousError, NotFoundError } from '../../proto/errors.ts';
import type {
  Artifact,
  Attempt,
  Event,
  Failure,
  Report,
  Sweep,
  Trial,
  TrialCounts,
} from '../../proto/gen/trawl/v1/types.ts';
import {
  type ArtifactKindName,
  type AttemptOutcomeName,
  artifactKind,
  attemptOutcome,
  type FailureClassName,
  failureClass,
  type GoalName,
  goal,
  type SweepStateName,
  sweepState,
  type TrialStateName,
  trialState,
} from '../../proto/names.ts';
import { parseParameters } from '../../proto/values.ts';
import type { AttemptKey, SweepPolicy } from '../core/model.ts';

interface SweepRow {
  id: number;
  name: string;
  fingerprint: string;
  text: string;
  trainer: string;
  metric: string;
  goal: GoalName;
  axes: string;
  configs: number;
  replicates: number;
  excluded: number;
  state: SweepStateName;
  reason: string;
  created_at: number;
  ended_at: number;
  priority: number;
  policy: string;
}

interface TrialRow {
  sweep_id: number;
  id: string;
  idx: number;
  config_id: string;
  seed: number;
  parameters: string;
  state: TrialStateName;
  attempts: number;
  agent_id: string;
  backend: string;
  failure_class: FailureClassName | null;
  failure_message: string | null;
  epoch: number;
  metrics: string;
  started_at: number;
  ended_at: number;
}

interface AttemptRow {
  number: number;
  agent_id: string;
  slot: number;
  backend: string;
  granted_at: number;
  ended_at: number;
  outcome: AttemptOutcomeName | null;
  failure_class: FailureClassName | null;
  failure_message: string | null;
  resumed_from: number;
}

interface ReportRow {
  trial_id: string;
  attempt: number;
  epoch: number;
  at: number;
  metrics: string;
}

interface ArtifactRow {
  trial_id: string;
  attempt: number;
  name: string;
  kind: ArtifactKindName;
  epoch: number;
  size: number;
  sha256: string;
  at: number;
}

export class Queries {
  readonly #db: Database;
  readonly #trialById;
  readonly #counts;
  readonly #assignment;

  constructor(db: Database) {
    this.#db = db;
    this.#trialById = db.prepare('select * from trials where sweep_id = ? and id = ?');
    this.#assignment = db.prepare(
      `select trainer, parameters, seed from trials join sweeps on sweeps.id = trials.sweep_id
       where sweep_id = ? and trials.id = ?`,
    );
    this.#counts = db.prepare('select state, count(*) as n from trials where sweep_id = ? group by state');
  }

  sweeps(): Sweep[] {
    return (this.#db.prepare('select * from sweeps order by id').all() as SweepRow[]).map((row) => this.#sweep(row));
  }

  sweep(id: string): Sweep {
    return this.#sweep(this.#row(id));
  }

  sweepText(id: string): string {
    return this.#row(id).text;
  }

  #row(id: string): SweepRow {
    const row = this.#db.prepare('select * from sweeps where id = ?').get(id) as SweepRow | undefined;
    if (row === undefined) throw new NotFoundError(`there is no sweep ${id}`);
    return row;
  }

  /**
   * A sweep by its id, by `last`, or by its name (the newest of that name).
   * @throws {NotFoundError}
   */
  findSweep(selector: string): string {
    const found = (
      selector === 'last' || selector === ''
        ? this.#db.prepare('select id from sweeps order by id desc limit 1').get()
        : /^\d+$/.test(selector)
          ? this.#db.prepare('select id from sweeps where id = ?').get(selector)
          : this.#db.prepare('select id from sweeps where name = ? order by id desc limit 1').get(selector)
    ) as { id: number } | undefined;
    if (found !== undefined) return `${found.id}`;
    const known = (this.#db.prepare('select id, name from sweeps order by id desc limit 5').all() as SweepRow[])
      .map((row) => `${row.id} (${row.name})`)
      .join(', ');
    throw new NotFoundError(
      known === ''
        ? 'there is no sweep here yet'
        : `there is no sweep ${JSON.stringify(selector)}; the newest are ${known}`,
    );
  }

  trials(sweepId: string): Trial[] {
    const rows = this.#db.prepare('select * from trials where sweep_id = ? order by idx').all(sweepId) as TrialRow[];
    return rows.map(trialOf);
  }

  trial(sweepId: string, trialId: string): Trial {
    const row = this.#trialById.get(sweepId, trialId) as TrialRow | undefined;
    if (row === undefined) throw new NotFoundError(`sweep ${sweepId} has no trial ${trialId}`);
    return trialOf(row);
  }

  /**
   * A trial by a prefix of its id, in one sweep or (`sweepId` empty) in the newest that holds it.
   * @throws {NotFoundError | AmbiguousError}
   */
  findTrial(sweepId: string, prefix: string): { sweepId: string; trialId: string } {
    const where = sweepId === '' ? '' : 'and sweep_id = ?';
    const rows = this.#db
      .prepare(
        `select sweep_id, id from trials where substr(id, 1, ?) = ? ${where}
         order by sweep_id desc, id limit 20`,
      )
      .all(...[prefix.length, prefix, ...(sweepId === '' ? [] : [sweepId])]) as TrialRow[];
    const newest = rows[0];
    if (newest === undefined || prefix === '') {
      throw new NotFoundError(`there is no trial ${JSON.stringify(prefix)}${sweepId && ` in sweep ${sweepId}`}`);
    }
    const same = rows.filter((row) => row.sweep_id === newest.sweep_id);
    if (same.length > 1) {
      throw new AmbiguousError(
        `trial ${prefix} is ambiguous in sweep ${newest.sweep_id}: ${same.map((row) => row.id).join(', ')}`,
      );
    }
    return { sweepId: `${newest.sweep_id}`, trialId: newest.id };
  }

  /** What a person's request had tried again; undefined: it has not been carried out. */
  retried(requestId: string): { sweepId: string; trials: number } | undefined {
    return this.#db
      .prepare(
        `select cast(sweep_id as text) as sweepId, count(*) as trials from retries where request_id = ?
         group by sweep_id`,
      )
      .get(requestId) as { sweepId: string; trials: number } | undefined;
  }

  /** What an agent needs to run a trial. */
  assignment(sweepId: string, trialId: string): { trainer: string; parameters: Trial['parameters']; seed: number } {
    const row = this.#assignment.get(sweepId, trialId) as { trainer: string; parameters: string; seed: number };
    const parameters = toWire(parseParameters(row.parameters));
    return { trainer: row.trainer, parameters, seed: row.seed };
  }

  attempts(sweepId: string, trialId: string): Attempt[] {
    const rows = this.#db
      .prepare('select * from attempts where sweep_id = ? and trial_id = ? order by number')
      .all(sweepId, trialId) as AttemptRow[];
    return rows.map((row) => ({
      number: row.number,
      agentId: row.agent_id,
      slot: row.slot,
      backend: row.backend,
      grantedAtMs: row.granted_at,
      endedAtMs: row.ended_at,
      resumedFrom: row.resumed_from,
      outcome: row.outcome === null ? 'ATTEMPT_OUTCOME_UNSPECIFIED' : attemptOutcome.to(row.outcome),
      failure: failureOf(row),
    }));
  }

  reports(sweepId: string, trialId: string): Report[] {
    const rows = this.#db
      .prepare(
        'select attempt, epoch, at, metrics from reports where sweep_id = ? and trial_id = ? order by attempt, seq',
      )
      .all(sweepId, trialId) as ReportRow[];
    return rows.map(reportOf);
  }

  /** Every report of a sweep, by trial, then attempt, then epoch. */
  reportsOf(sweepId: string): Map<string, Report[]> {
    const byTrial = new Map<string, Report[]>();
    const rows = this.#db
      .prepare('select * from reports where sweep_id = ? order by trial_id, attempt, seq')
      .all(sweepId) as ReportRow[];
    for (const row of rows) {
      const before = byTrial.get(row.trial_id);
      if (before === undefined) byTrial.set(row.trial_id, [reportOf(row)]);
      else before.push(reportOf(row));
    }
    return byTrial;
  }

  /** The least and greatest value that any attempt of the sweep reported, by metric. */
  extremes(sweepId: string): { metric: string; least: number; greatest: number }[] {
    return this.#db
      .prepare(
        `select value.key as metric, min(value.value) as least, max(value.value) as greatest
         from reports, json_each(reports.metrics) as value
         where sweep_id = ? and value.type in ('integer', 'real') group by value.key`,
      )
      .all(sweepId) as { metric: string; least: number; greatest: number }[];
  }

  /** When the sweep's newest report was made, Unix milliseconds; undefined: there is none. */
  lastReportAt(sweepId: string): number | undefined {
    const row = this.#db.prepare('select max(at) as at from reports where sweep_id = ?').get(sweepId);
    return (row as { at: number | null }).at ?? undefined;
  }

  /** The epoch that each attempt of each trial went on from, where one did. */
  resumptions(sweepId: string): { trialId: string; attempt: number; resumedFrom: number }[] {
    return this.#db
      .prepare(
        `select trial_id as trialId, number as attempt, resumed_from as resumedFrom from attempts
         where sweep_id = ? order by trial_id, number`,
      )
      .all(sweepId) as { trialId: string; attempt: number; resumedFrom: number }[];
  }

  /** What a trial's attempts left behind, but for checkpoints; of every trial where `trialId` is empty. */
  artifacts(sweepId: string, trialId: string): { trialId: string; artifact: Artifact }[] {
    const rows = this.#db
      .prepare(
        `select * from artifacts where sweep_id = ?1 and (?2 = '' or trial_id = ?2) and kind <> 'checkpoint'
         order by trial_id, attempt, name`,
      )
      .all(sweepId, trialId) as ArtifactRow[];
    return rows.map((row) => ({ trialId: row.trial_id, artifact: artifactOf(row) }));
  }

  /**
   * A trial's artifact of that name: of that attempt, or (0) of the newest that has one.
   * @throws {NotFoundError}
   */
  artifact(sweepId: string, trialId: string, attempt: number, name: string): Artifact {
    const row = this.#db
      .prepare(
        `select * from artifacts where sweep_id = ?1 and trial_id = ?2 and (?3 = 0 or attempt = ?3) and name = ?4
         order by attempt desc limit 1`,
      )
      .get(sweepId, trialId, attempt, name) as ArtifactRow | undefined;
    if (row === undefined) throw new NotFoundError(`trial ${trialId} has no artifact ${JSON.stringify(name)}`);
    return artifactOf(row);
  }

  /** Whether a row names the file. */
  hasArtifact({ sweepId, trialId, attempt }: AttemptKey, name: string): boolean {
    const row = this.#db
      .prepare('select 1 from artifacts where sweep_id = ? and trial_id = ? and attempt = ? and name = ?')
      .get(sweepId, trialId, attempt, name);
    return row !== undefined;
  }

  /** Artifacts of an attempt, checkpoints among them. */
  artifactCount({ sweepId, trialId, attempt }: AttemptKey): number {
    const row = this.#db
      .prepare('select count(*) as n from artifacts where sweep_id = ? and trial_id = ? and attempt = ?')
      .get(sweepId, trialId, attempt) as { n: number };
    return row.n;
  }

  /** Log text after record `afterSeq`, in order. */
  log(sweepId: string, trialId: string, attempt: number, afterSeq: number): { seq: number; text: string }[] {
    return this.#db
      .prepare(
        'select seq, text from logs where sweep_id = ? and trial_id = ? and attempt = ? and seq > ? order by seq limit 500',
      )
      .all(sweepId, trialId, attempt, afterSeq) as { seq: number; text: string }[];
  }

  /** The sweep's events after that one, oldest first, at most `limit`. */
  eventsAfter(sweepId: string, seq: number, limit: number): Event[] {
    return this.#db
      .prepare(
        `select seq, at as atMs, cast(sweep_id as text) as sweepId, trial_id as trialId, attempt, kind, detail
         from events where seq > ? and sweep_id = ? order by seq limit ?`,
      )
      .all(seq, sweepId, limit) as Event[];
  }

  lastEvent(): number {
    const row = this.#db.prepare('select coalesce(max(seq), 0) as seq from events').get() as { seq: number };
    return row.seq;
  }

  #sweep(row: SweepRow): Sweep {
    const counts: TrialCounts = {
      pending: 0,
      offered: 0,
      running: 0,
      succeeded: 0,
      stopped: 0,
      failed: 0,
      cancelled: 0,
    };
    for (const { state, n } of this.#counts.all(row.id) as { state: TrialStateName; n: number }[]) counts[state] = n;
    return {
      id: `${row.id}`,
      name: row.name,
      state: sweepState.to(row.state),
      reason: row.reason,
      trainer: row.trainer,
      metric: { name: row.metric, goal: goal.to(row.goal) },
      counts,
      configs: row.configs,
      replicates: row.replicates,
      excluded: row.excluded,
      createdAtMs: row.created_at,
      endedAtMs: row.ended_at,
      fingerprint: row.fingerprint,
      axes: JSON.parse(row.axes),
      priority: row.priority,
      weight: (JSON.parse(row.policy) as SweepPolicy).weight,
    };
  }
}

function trialOf(row: TrialRow): Trial {
  return {
    sweepId: `${row.sweep_id}`,
    id: row.id,
    configId: row.config_id,
    index: row.idx,
    seed: row.seed,
    parameters: toWire(parseParameters(row.parameters)),
    state: trialState.to(row.state),
    attempts: row.attempts,
    agentId: row.agent_id,
    backend: row.backend,
    failure: failureOf(row),
    epoch: row.epoch,
    metrics: numbersOf(row.metrics),
    startedAtMs: row.started_at,
    endedAtMs: row.ended_at,
    rank: 0,
  };
}

function reportOf(row: ReportRow): Report {
  return { attempt: row.attempt, epoch: row.epoch, atMs: row.at, metrics: numbersOf(row.metrics) };
}

function artifactOf(row: ArtifactRow): Artifact {
  const { attempt, name, kind, epoch, size, sha256, at: atMs } = row;
  return { attempt, name, kind: artifactKind.to(kind), epoch, size, sha256, atMs };
}

function failureOf(row: {
  failure_class: FailureClassName | null;
  failure_message: string | null;
}): Failure | undefined {
  if (row.failure_class === null) return undefined;
  return { class: failureClass.to(row.failure_class), message: row.failure_message ?? '' };
}

/** JSON has no NaN or infinity: a null stands for a value that is not a number. */
function numbersOf(json: string): Record<string, number> {
  const values = Object.entries(JSON.parse(json) as Record<string, number | null>);
  return Object.fromEntries(values.map(([name, value]) => [name, value ?? Number.NaN]));
}
