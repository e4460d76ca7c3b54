/** Writes the rows of trials and attempts, and the records of attempts. */

import type { Database } from 'libsql';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { type MetricValues, withReport } from '../../lib/domain/metric-values.ts';
import { sha256Of } from '../../lib/files/checksum.ts';
import { formatStep } from '../../lib/text/numbers.ts';
import type { AttemptEnd } from '../core/attempt-model.ts';
import type { SweepPolicy } from '../core/policy.ts';
import { PARENT_ATTEMPT } from '../core/population.ts';
import { setValues } from './derived-tables.ts';
import { impliedMetricWriter } from './implied-metric.ts';
import { foldReports, metricsJson, parseValues, type ReportColumns } from './rows.ts';
import type { AddEvent, ChangeOf, DroppedArtifact } from './write-events.ts';

function toColumns(values: MetricValues): [metrics: string, steps: string] {
  const entries = [...values];
  return [
    metricsJson(entries.map(([name, { value }]) => [name, value])),
    JSON.stringify(Object.fromEntries(entries.map(([name, { step }]) => [name, step]))),
  ];
}

type StoredPolicy = Pick<SweepPolicy, 'ranking' | 'speculate'>;

type PolicyOf = (sweepId: string) => StoredPolicy | undefined;

/** Reads each policy once, and then uses a cache. `forget` removes a changed policy from the cache. */
export function sweepPolicies(db: Database): { readonly of: PolicyOf; readonly forget: (sweepId: string) => void } {
  const select = db.prepare('select policy from sweeps where id = ?');
  const known = new Map<string, StoredPolicy | undefined>();
  const of: PolicyOf = (sweepId) => {
    if (!known.has(sweepId)) {
      const row = select.get(sweepId) as { policy: string } | undefined;
      if (row === undefined) known.set(sweepId, undefined);
      else {
        const { ranking, speculate } = JSON.parse(row.policy) as SweepPolicy;
        known.set(sweepId, { ranking, speculate });
      }
    }
    return known.get(sweepId);
  };
  return { of, forget: (sweepId) => known.delete(sweepId) };
}

/** Reads the values that a trial, or one attempt, has reported. */
export function valuesReader(db: Database, policyOf: PolicyOf) {
  // Speculative attempts store no checkpoint, so no attempt continues from the reports of a speculative attempt.
  const selectUpTo = db.prepare(
    `select epoch, metrics from reports as r where sweep_id = ? and trial_id = ? and epoch <= ? and not exists (
       select 1 from attempts as a
       where a.sweep_id = r.sweep_id and a.trial_id = r.trial_id and a.number = r.attempt and a.speculative > 0)
     order by attempt, seq`,
  );
  const selectOf = db.prepare(
    'select epoch, metrics from reports where sweep_id = ? and trial_id = ? and attempt = ? order by seq',
  );
  const valuesOf = (sweepId: string, rows: readonly ReportColumns[]) =>
    toColumns(foldReports(rows, policyOf(sweepId)?.ranking));
  return {
    upTo(sweepId: string, trialId: string, step: number): [metrics: string, steps: string] {
      return valuesOf(sweepId, step > 0 ? (selectUpTo.all(sweepId, trialId, step) as ReportColumns[]) : []);
    },
    ofAttempt({ sweepId, trialId, attempt }: AttemptKey): [metrics: string, steps: string] {
      return valuesOf(sweepId, selectOf.all(sweepId, trialId, attempt) as ReportColumns[]);
    },
  };
}

export function trialWriter(db: Database, values: ReturnType<typeof valuesReader>) {
  const create = db.prepare(
    `insert into trials (sweep_id, id, idx, config_id, seed, parameters) values (?, ?, ?, ?, ?, ?)
     on conflict (sweep_id, id) do nothing`,
  );
  const setOrigin = db.prepare(
    `update trials set parent = ?, parent_attempt = ?, parent_epoch = ?, replaces = ?, compared_at = ?
     where sweep_id = ? and id = ?`,
  );
  const move = db.prepare(
    `update trials set state = ?1, failure_class = ?2, failure_message = ?3, stop_reason = ?7,
       ended_at = case when ?1 in ('succeeded', 'stopped', 'failed', 'cancelled') then ?4 else 0 end
     where sweep_id = ?5 and id = ?6`,
  );
  const grant = db.prepare(
    `update trials set state = 'running', attempts = ?, agent_id = ?, backend = ?, epoch = ?, metrics = ?,
       metric_steps = ?, failure_class = null, failure_message = null, started_at = ?, ended_at = 0
     where sweep_id = ? and id = ?`,
  );
  const retry = db.prepare(
    `update trials set state = 'pending', epoch = ?, metrics = ?, metric_steps = ?, failure_class = null,
       failure_message = null, ended_at = 0
     where sweep_id = ? and id = ?`,
  );
  const setValue = db.prepare(setValues('sweep_id = ? and id = ? and dropped_in = 0'));
  const grantSpeculative = db.prepare('update trials set attempts = ? where sweep_id = ? and id = ?');
  const promote = db.prepare(
    `update trials set metrics = ?1, metric_steps = ?2,
       epoch = (select coalesce(max(epoch), 0) from reports where sweep_id = ?3 and trial_id = ?4 and attempt = ?5),
       (agent_id, backend, started_at) = (select agent_id, backend, granted_at from attempts
                                          where sweep_id = ?3 and trial_id = ?4 and number = ?5)
     where sweep_id = ?3 and id = ?4`,
  );
  const insertRetry = db.prepare(
    'insert into retries (sweep_id, trial_id, request_id, attempts, at) values (?, ?, ?, ?, ?)',
  );
  return {
    create({ sweepId, trial }: ChangeOf<'created'>, addEvent: AddEvent): void {
      const { trialId, index, configId, seed, parameters } = trial;
      create.run(sweepId, trialId, index, configId, seed, JSON.stringify(parameters));
      addEvent(sweepId, trialId, 0, 'created', '');
    },
    inherit({ sweepId, trial, origin }: ChangeOf<'inherited'>, addEvent: AddEvent): void {
      const { trialId, index, configId, seed, parameters } = trial;
      const { parent, replaces, rung, checkpoint, detail } = origin;
      create.run(sweepId, trialId, index, configId, seed, JSON.stringify(parameters));
      setOrigin.run(parent, checkpoint.attempt, checkpoint.epoch, replaces, rung, sweepId, trialId);
      addEvent(sweepId, trialId, 0, 'created', detail);
    },
    move({ sweepId, trialId, state, detail, failure }: ChangeOf<'trial'>, at: number, addEvent: AddEvent): void {
      const stopReason = state === 'stopped' || state === 'held' ? detail : '';
      move.run(state, failure?.class ?? null, failure?.message ?? null, at, sweepId, trialId, stopReason);
      if (state === 'succeeded' || state === 'stopped') setValue.run(sweepId, trialId);
      addEvent(sweepId, trialId, 0, state, detail);
    },
    grant({ key, agentId, backend, resumedFrom }: ChangeOf<'granted'>, at: number): void {
      const { sweepId, trialId, attempt } = key;
      const [metrics, steps] = values.upTo(sweepId, trialId, resumedFrom);
      grant.run(attempt, agentId, backend, resumedFrom, metrics, steps, at, sweepId, trialId);
    },
    grantSpeculative({ key }: ChangeOf<'granted'>): void {
      grantSpeculative.run(key.attempt, key.sweepId, key.trialId);
    },
    /** Replaces the trial's values by the values of the remaining attempt. */
    promote({ key }: ChangeOf<'promoted'>): void {
      promote.run(...values.ofAttempt(key), key.sweepId, key.trialId, key.attempt);
    },
    retry(change: ChangeOf<'retried'>, at: number, addEvent: AddEvent): void {
      const { sweepId, trialId, requestId, attempts, resumesFrom } = change;
      insertRetry.run(sweepId, trialId, requestId, attempts, at);
      retry.run(resumesFrom, ...values.upTo(sweepId, trialId, resumesFrom), sweepId, trialId);
      addEvent(sweepId, trialId, 0, 'retried', describeRetry(change));
    },
  };
}

function describeRetry({ failure, resumesFrom }: ChangeOf<'retried'>): string {
  const before = failure === undefined ? 'was cancelled' : `had failed (${failure})`;
  return resumesFrom === 0 ? before : `${before}; resumes after epoch ${formatStep(resumesFrom)}`;
}

/** The values of the column `speculative`. */
const SPECULATIVE = {
  no: 0,
  /** The results of the trial come from a different attempt. */
  hidden: 1,
  /** The results of the trial come from this attempt, until the next attempt is granted. */
  promoted: 2,
} as const;

export function attemptWriter(db: Database, policyOf: PolicyOf) {
  const grant = db.prepare(
    `insert into attempts (sweep_id, trial_id, number, agent_id, incarnation, slot, pack, backend, granted_at,
       resumed_from, speculative, gpus)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const hide = db.prepare(
    `update attempts set speculative = ${SPECULATIVE.hidden}
     where sweep_id = ? and trial_id = ? and speculative = ${SPECULATIVE.promoted}`,
  );
  const promote = db.prepare(
    `update attempts set speculative = ${SPECULATIVE.promoted} where sweep_id = ? and trial_id = ? and number = ?`,
  );
  const selectSpeculative = db.prepare(
    'select speculative from attempts where sweep_id = ? and trial_id = ? and number = ?',
  );
  const isHidden = ({ sweepId, trialId, attempt }: AttemptKey): boolean => {
    if (policyOf(sweepId)?.speculate !== true) return false;
    const row = selectSpeculative.get(sweepId, trialId, attempt) as { speculative: number } | undefined;
    return row?.speculative === SPECULATIVE.hidden;
  };
  const end = db.prepare(
    `update attempts set ended_at = ?, outcome = ?, failure_class = ?, failure_message = ?, early = ?, free = ?
     where sweep_id = ? and trial_id = ? and number = ?`,
  );
  const addLeased = db.prepare('update trials set leased_ms = leased_ms + ? where sweep_id = ? and id = ?');
  const addUsed = db.prepare('update sweeps set slot_ms = slot_ms + ?, gpu_ms = gpu_ms + ? where id = ?');
  // The value 2 marks an early failure that no longer counts against its agent. The condition `early > 0` is redundant,
  // but without it SQLite does not use the index `early_failures`.
  const clear = db.prepare(
    'update attempts set early = 2 where early > 0 and sweep_id = ? and agent_id = ? and early = 1',
  );
  const mark = db.prepare('update attempts set straggler = ? where sweep_id = ? and trial_id = ? and number = ?');
  const insertReport = db.prepare(
    'insert into reports (sweep_id, trial_id, attempt, seq, at, epoch, metrics) values (?, ?, ?, ?, ?, ?, ?)',
  );
  const selectProgress = db.prepare('select metrics, metric_steps from trials where sweep_id = ? and id = ?');
  const setProgress = db.prepare(
    'update trials set epoch = max(epoch, ?), metrics = ?, metric_steps = ? where sweep_id = ? and id = ?',
  );
  const writeImpliedMetric = impliedMetricWriter(db);
  const insertLog = db.prepare(
    'insert into logs (sweep_id, trial_id, attempt, seq, at, text) values (?, ?, ?, ?, ?, ?)',
  );
  return {
    grant(change: ChangeOf<'granted'>, at: number, addEvent: AddEvent): void {
      const { sweepId, trialId, attempt } = change.key;
      const { agentId, incarnation, slot, pack, backend, resumedFrom, gpus } = change;
      if (!change.speculative) hide.run(sweepId, trialId);
      const speculative = change.speculative ? SPECULATIVE.hidden : SPECULATIVE.no;
      const place = [agentId, incarnation, slot, pack, backend] as const;
      grant.run(sweepId, trialId, attempt, ...place, at, resumedFrom, speculative, gpus);
      const from = resumedFrom === 0 ? '' : `, resumed after epoch ${formatStep(resumedFrom)}`;
      const kind = change.speculative ? 'speculated' : 'granted';
      addEvent(sweepId, trialId, attempt, kind, `to agent ${agentId}, slot ${slot}${from}`);
    },
    promote({ key: { sweepId, trialId, attempt } }: ChangeOf<'promoted'>): void {
      promote.run(sweepId, trialId, attempt);
    },
    end({ key, end: how, early, free, leasedMs, used }: ChangeOf<'ended'>, at: number, addEvent: AddEvent): void {
      const { sweepId, trialId, attempt } = key;
      const failure = how.outcome === 'failed' ? how.failure : undefined;
      const columns = [at, how.outcome, failure?.class ?? null, failure?.message ?? null, early ? 1 : 0, free ? 1 : 0];
      end.run(...columns, sweepId, trialId, attempt);
      addLeased.run(leasedMs, sweepId, trialId);
      if (used !== undefined) addUsed.run(used.slotMs, used.gpuMs, sweepId);
      addEvent(sweepId, trialId, attempt, 'ended', describeEnd(how));
    },
    markStraggler({ key, detail }: ChangeOf<'straggler'>, addEvent: AddEvent): void {
      const { sweepId, trialId, attempt } = key;
      mark.run(detail, sweepId, trialId, attempt);
      addEvent(sweepId, trialId, attempt, 'straggler', detail);
    },
    clear({ sweepId, agentId }: ChangeOf<'cleared'>): void {
      clear.run(sweepId, agentId);
    },
    report({ key, seq, at, epoch, metrics }: ChangeOf<'report'>, addEvent: AddEvent): void {
      const { sweepId, trialId, attempt } = key;
      const rule = policyOf(sweepId)?.ranking;
      const hidden = isHidden(key);
      if (rule?.metric === '' && !hidden) writeImpliedMetric(key, Object.keys(metrics));
      insertReport.run(sweepId, trialId, attempt, seq, at, epoch, metricsJson(Object.entries(metrics)));
      addEvent(sweepId, trialId, attempt, 'reported', `epoch ${formatStep(epoch)}`);
      if (hidden) return;
      const row = selectProgress.get(sweepId, trialId) as { metrics: string; metric_steps: string };
      const values = withReport(parseValues(row), epoch, Object.entries(metrics), rule);
      setProgress.run(epoch, ...toColumns(values), sweepId, trialId);
    },
    log({ key, seq, at, text }: ChangeOf<'log'>): void {
      insertLog.run(key.sweepId, key.trialId, key.attempt, seq, at, text);
    },
  };
}

function describeEnd(end: AttemptEnd): string {
  return end.outcome === 'failed' ? `failed (${end.failure.class}): ${end.failure.message}` : end.outcome;
}

export function artifactWriter(db: Database) {
  const insert = db.prepare(
    `insert or replace into artifacts (sweep_id, trial_id, attempt, name, kind, epoch, size, sha256, seq, at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const deleteCheckpoints = db.prepare(
    "delete from artifacts where sweep_id = ? and trial_id = ? and kind = 'checkpoint' returning attempt, name",
  );
  /**
   * Removes the rows of checkpoints.
   * @param kept the checkpoint that replaces the other checkpoints; the file of this checkpoint is kept
   */
  const dropCheckpoints = (
    { sweepId, trialId }: { readonly sweepId: string; readonly trialId: string },
    dropped: DroppedArtifact[],
    kept?: { readonly attempt: number; readonly name: string },
  ): void => {
    const rows = deleteCheckpoints.all(sweepId, trialId) as { attempt: number; name: string }[];
    for (const { attempt, name } of rows) {
      if (attempt === kept?.attempt && name === kept.name) continue;
      dropped.push({ key: { sweepId, trialId, attempt }, name });
    }
  };
  return {
    dropCheckpoints,
    /** Adds the checkpoint of the parent to the child, which keeps it until the child stores its own checkpoint. */
    inherit({ sweepId, trial: { trialId }, origin: { checkpoint } }: ChangeOf<'inherited'>, at: number): void {
      const { name, kind, epoch, size, sha256 } = checkpoint;
      insert.run(sweepId, trialId, PARENT_ATTEMPT, name, kind, epoch, size, sha256, 0, at);
    },
    insert({ key, seq, at, artifact }: ChangeOf<'artifact'>, dropped: DroppedArtifact[]): void {
      const { sweepId, trialId, attempt } = key;
      const { name, kind, epoch, size, sha256 } = artifact;
      if (kind === 'checkpoint') dropCheckpoints(key, dropped, { attempt, name });
      insert.run(sweepId, trialId, attempt, name, kind, epoch, size, sha256, seq, at);
    },
  };
}

/** Each list of packages is stored once, regardless of the number of attempts. */
export function programWriter(db: Database): (change: ChangeOf<'program'>) => void {
  const insert = db.prepare(
    `insert or replace into programs (sweep_id, trial_id, attempt, command, interpreter, python, environment, seq, at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertEnvironment = db.prepare('insert or ignore into environments (sha256, packages) values (?, ?)');
  return ({ key: { sweepId, trialId, attempt }, program, seq, at }) => {
    const { command, interpreter, python, packages } = program;
    const environment = packages === '' ? '' : sha256Of(packages);
    if (environment !== '') insertEnvironment.run(environment, packages);
    insert.run(sweepId, trialId, attempt, JSON.stringify(command), interpreter, python, environment, seq, at);
  };
}

export function noticeWriter(db: Database): (change: ChangeOf<'notice'>) => void {
  const insert = db.prepare(
    `insert or replace into notices (sweep_id, trial_id, attempt, kind, message, count, seq, at)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return ({ key: { sweepId, trialId, attempt }, warning, message, count, seq, at }) => {
    insert.run(sweepId, trialId, attempt, warning, message, count, seq, at);
  };
}

export function rungWriter(db: Database) {
  const insert = db.prepare(
    'insert into rungs (sweep_id, trial_id, rung, attempt, step, value, detail, at) values (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const advance = db.prepare('update rungs set detail = ? where sweep_id = ? and trial_id = ? and rung = ?');
  return {
    enter(change: ChangeOf<'rung'>, addEvent: AddEvent): void {
      const { key, rung, step, value, detail, at } = change;
      const { sweepId, trialId, attempt } = key;
      insert.run(sweepId, trialId, rung, attempt, step, value, detail, at);
      if (detail !== '') addEvent(sweepId, trialId, attempt, 'rung', detail);
    },
    /** Marks the trial as promoted from the rung, with the reason. */
    advance({ sweepId, trialId, rung, detail }: ChangeOf<'advanced'>, addEvent: AddEvent): void {
      advance.run(detail, sweepId, trialId, rung);
      addEvent(sweepId, trialId, 0, 'promoted', detail);
    },
  };
}
