/** Writes the rows of trials and attempts, and the records of attempts. */

import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { type MetricValues, withReport } from '../../lib/domain/metric-values.ts';
import { sha256Of } from '../../lib/files/checksum.ts';
import { formatStep } from '../../lib/text/numbers.ts';
import type { AttemptEnd } from '../core/attempt-model.ts';
import { PARENT_ATTEMPT } from '../core/population.ts';
import type { ConfigResults } from './config-results.ts';
import { impliedMetricWriter } from './implied-metric.ts';
import { foldReports, metricsJson, parseValues, type ReportColumns, valueColumns } from './rows.ts';
import type { SweepPolicies } from './sweep-policies.ts';
import type { AddEvent, ChangeOf, DroppedArtifact } from './write-events.ts';
import { type ProgressRow, type Steps, upsert, type WriteSql } from './write-sql.ts';

/** The columns of a trial that has reported no values. */
export const NO_PROGRESS: ProgressRow = { metrics: '{}', metric_steps: '{}' };

/** Reads the values that a trial, or one attempt, has reported. */
export function valuesReader(sql: WriteSql, policies: SweepPolicies) {
  // Speculative attempts store no checkpoint, so no attempt continues from the reports of a speculative attempt.
  const selectUpTo = sql.query<ReportColumns>(
    `select epoch, metrics from reports as r where sweep_id = ? and trial_id = ? and epoch <= ? and not exists (
       select 1 from attempts as a
       where a.sweep_id = r.sweep_id and a.trial_id = r.trial_id and a.number = r.attempt and a.speculative > 0)
     order by attempt, seq`,
  );
  const selectOf = sql.query<ReportColumns>(
    'select epoch, metrics from reports where sweep_id = ? and trial_id = ? and attempt = ? order by seq',
  );
  function* valuesOf(sweepId: string, rows: readonly ReportColumns[]): Steps<ProgressRow> {
    yield* policies.read(sweepId);
    return valueColumns(foldReports(rows, policies.of(sweepId)?.ranking));
  }
  return {
    *upTo(sweepId: string, trialId: string, step: number): Steps<ProgressRow> {
      return yield* valuesOf(sweepId, yield* selectUpTo(sweepId, trialId, step));
    },
    *ofAttempt({ sweepId, trialId, attempt }: AttemptKey): Steps<ProgressRow> {
      return yield* valuesOf(sweepId, yield* selectOf(sweepId, trialId, attempt));
    },
  };
}

export function trialWriter(sql: WriteSql, policies: SweepPolicies, values: ReturnType<typeof valuesReader>) {
  const create = sql.insert('trials', ['sweep_id', 'id', 'idx', 'config_id', 'seed', 'parameters'], 'ignore');
  const setOrigin = sql.change(
    `update trials set parent = ?, parent_attempt = ?, parent_epoch = ?, replaces = ?, compared_at = ?
     where sweep_id = ? and id = ?`,
  );
  const key = ['sweep_id', 'id'];
  const moved = `state = ?1, failure_class = ?2, failure_message = ?3, stop_reason = ?5,
       ended_at = case when ?1 in ('succeeded', 'stopped', 'failed', 'cancelled') then cast(?4 as bigint) else 0 end,
       leased_ms = leased_ms + cast(?6 as double precision)`;
  const move = sql.changeRow('trials', moved, key);
  const moveWithResult = sql.changeRow(
    'trials',
    `${moved}, value = case when dropped_in = 0 then ${sql.metricValue} else value end`,
    key,
  );
  const moveWithReport = sql.changeRow(
    'trials',
    `${moved}, epoch = case when epoch < ?7 then ?7 else epoch end, metrics = ?8, metric_steps = ?9,
       value = case when dropped_in = 0 then cast(?10 as double precision) else value end`,
    key,
  );
  const addLeased = sql.change('update trials set leased_ms = leased_ms + ? where sweep_id = ? and id = ?');
  /** The lease times of ended attempts, by sweep and trial, until they are written. */
  const leased = new Map<string, { readonly sweepId: string; readonly trialId: string; readonly ms: number }>();
  const grant = sql.changeRow(
    'trials',
    `state = 'running', attempts = ?1, agent_id = ?2, backend = ?3, epoch = ?4, metrics = ?5, metric_steps = ?6,
       failure_class = null, failure_message = null, started_at = ?7, ended_at = 0`,
    key,
  );
  const retry = sql.change(
    `update trials set state = 'pending', epoch = ?, metrics = ?, metric_steps = ?, failure_class = null,
       failure_message = null, ended_at = 0
     where sweep_id = ? and id = ?`,
  );
  const grantSpeculative = sql.change('update trials set attempts = ? where sweep_id = ? and id = ?');
  const promote = sql.change(
    `update trials set metrics = ?1, metric_steps = ?2,
       epoch = (select coalesce(max(epoch), 0) from reports where sweep_id = ?3 and trial_id = ?4 and attempt = ?5),
       (agent_id, backend, started_at) = (select agent_id, backend, granted_at from attempts
                                          where sweep_id = ?3 and trial_id = ?4 and number = ?5)
     where sweep_id = ?3 and id = ?4`,
  );
  const insertRetry = sql.insert('retries', ['sweep_id', 'trial_id', 'request_id', 'attempts', 'at']);
  return {
    create({ sweepId, trial }: ChangeOf<'created'>, addEvent: AddEvent): void {
      const { trialId, index, configId, seed, parameters } = trial;
      create(sweepId, trialId, index, configId, seed, JSON.stringify(parameters));
      addEvent(sweepId, trialId, 0, 'created', '');
    },
    inherit({ sweepId, trial, origin }: ChangeOf<'inherited'>, addEvent: AddEvent): void {
      const { trialId, index, configId, seed, parameters } = trial;
      const { parent, replaces, rung, checkpoint, detail } = origin;
      create(sweepId, trialId, index, configId, seed, JSON.stringify(parameters));
      setOrigin(parent, checkpoint.attempt, checkpoint.epoch, replaces, rung, sweepId, trialId);
      addEvent(sweepId, trialId, 0, 'created', detail);
    },
    move({ sweepId, trialId, state, detail, failure }: ChangeOf<'trial'>, at: number, addEvent: AddEvent): void {
      const stopReason = state === 'stopped' || state === 'held' ? detail : '';
      const hasResult = state === 'succeeded' || state === 'stopped';
      const leasedMs = leased.get(`${sweepId}/${trialId}`)?.ms ?? 0;
      leased.delete(`${sweepId}/${trialId}`);
      const [failed, message] = [failure?.class ?? null, failure?.message ?? null];
      const metric = policies.of(sweepId)?.metric ?? '';
      const report = hasResult && metric !== '' ? sql.progress.take(sweepId, trialId) : undefined;
      if (report === undefined) {
        const write = hasResult ? moveWithResult : move;
        write(state, failed, message, at, stopReason, leasedMs, sweepId, trialId);
      } else {
        // Usually, the last report and the end of an attempt are in the same transaction. In this case, one statement
        // writes both.
        const { metrics, metric_steps: steps } = valueColumns(report.values);
        const columns = [report.epoch, metrics, steps, finiteValue(report.values, metric)];
        moveWithReport(state, failed, message, at, stopReason, leasedMs, ...columns, sweepId, trialId);
      }
      addEvent(sweepId, trialId, 0, state, detail);
    },
    /**
     * Adds the duration of a lease to its trial. The duration is written with the next change of the trial's state, or
     * by `finish`.
     */
    addLeased({ sweepId, trialId }: AttemptKey, ms: number): void {
      const earlier = leased.get(`${sweepId}/${trialId}`)?.ms ?? 0;
      leased.set(`${sweepId}/${trialId}`, { sweepId, trialId, ms: earlier + ms });
    },
    /** Must be called at the end of each transaction. */
    finish(): void {
      for (const { sweepId, trialId, ms } of leased.values()) addLeased(ms, sweepId, trialId);
      leased.clear();
    },
    /** @param progress the values at the checkpoint from which the attempt resumes */
    grant({ key, agentId, backend, resumedFrom }: ChangeOf<'granted'>, at: number, progress: ProgressRow): void {
      const { sweepId, trialId, attempt } = key;
      sql.progress.forget(sweepId, trialId, progress === NO_PROGRESS ? new Map() : parseValues(progress));
      const { metrics, metric_steps: steps } = progress;
      grant(attempt, agentId, backend, resumedFrom, metrics, steps, at, sweepId, trialId);
    },
    *grantResumed(change: ChangeOf<'granted'>, at: number): Steps {
      const { sweepId, trialId } = change.key;
      this.grant(change, at, yield* values.upTo(sweepId, trialId, change.resumedFrom));
    },
    grantSpeculative({ key }: ChangeOf<'granted'>): void {
      grantSpeculative(key.attempt, key.sweepId, key.trialId);
    },
    /** Replaces the trial's values with the values of the remaining attempt. */
    *promote({ key }: ChangeOf<'promoted'>): Steps {
      const { sweepId, trialId, attempt } = key;
      const { metrics, metric_steps: steps } = yield* values.ofAttempt(key);
      sql.progress.forget(sweepId, trialId);
      promote(metrics, steps, sweepId, trialId, attempt);
    },
    *retry(change: ChangeOf<'retried'>, at: number, addEvent: AddEvent): Steps {
      const { sweepId, trialId, requestId, attempts, resumesFrom } = change;
      insertRetry(sweepId, trialId, requestId, attempts, at);
      const { metrics, metric_steps: steps } =
        resumesFrom === 0 ? NO_PROGRESS : yield* values.upTo(sweepId, trialId, resumesFrom);
      sql.progress.forget(sweepId, trialId);
      retry(resumesFrom, metrics, steps, sweepId, trialId);
      addEvent(sweepId, trialId, 0, 'retried', describeRetry(change));
    },
  };
}

/** Returns the value of a metric; null if the metric has no finite value. */
function finiteValue(values: MetricValues, metric: string): number | null {
  const value = values.get(metric)?.value;
  return value !== undefined && Number.isFinite(value) ? value : null;
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

export function attemptWriter(sql: WriteSql, policies: SweepPolicies, configResults: ConfigResults) {
  const place = ['agent_id', 'incarnation', 'slot', 'pack', 'backend'];
  const key = ['sweep_id', 'trial_id', 'number'];
  const grant = sql.insert('attempts', [...key, ...place, 'granted_at', 'resumed_from', 'speculative', 'gpus']);
  const hide = sql.change(
    `update attempts set speculative = ${SPECULATIVE.hidden}
     where sweep_id = ? and trial_id = ? and speculative = ${SPECULATIVE.promoted}`,
  );
  const promote = sql.change(
    `update attempts set speculative = ${SPECULATIVE.promoted} where sweep_id = ? and trial_id = ? and number = ?`,
  );
  const selectSpeculative = sql.query<{ speculative: number }>(
    'select speculative from attempts where sweep_id = ? and trial_id = ? and number = ?',
  );
  function* isHidden({ sweepId, trialId, attempt }: AttemptKey): Steps<boolean> {
    const [row] = yield* selectSpeculative(sweepId, trialId, attempt);
    return row?.speculative === SPECULATIVE.hidden;
  }
  const end = sql.changeRow(
    'attempts',
    'ended_at = ?1, outcome = ?2, failure_class = ?3, failure_message = ?4, early = ?5, free = ?6',
    key,
  );
  // The value 2 marks an early failure that no longer counts against its agent. The condition `early > 0` is redundant,
  // but without it SQLite does not use the index `early_failures`.
  const clear = sql.change(
    'update attempts set early = 2 where early > 0 and sweep_id = ? and agent_id = ? and early = 1',
  );
  const mark = sql.change('update attempts set straggler = ? where sweep_id = ? and trial_id = ? and number = ?');
  const record = ['sweep_id', 'trial_id', 'attempt', 'seq', 'at'];
  const insertReport = sql.insert('reports', [...record, 'epoch', 'metrics']);
  const writeImpliedMetric = impliedMetricWriter(sql, configResults);
  const insertLog = sql.insert('logs', [...record, 'text']);
  return {
    grant(change: ChangeOf<'granted'>, at: number, addEvent: AddEvent): void {
      const { sweepId, trialId, attempt } = change.key;
      const { agentId, incarnation, slot, pack, backend, resumedFrom, gpus } = change;
      if (!change.speculative && attempt > 1) hide(sweepId, trialId);
      const speculative = change.speculative ? SPECULATIVE.hidden : SPECULATIVE.no;
      const granted = [at, resumedFrom, speculative, gpus];
      grant(sweepId, trialId, attempt, agentId, incarnation, slot, pack, backend, ...granted);
      const from = resumedFrom === 0 ? '' : `, resumed after epoch ${formatStep(resumedFrom)}`;
      const kind = change.speculative ? 'speculated' : 'granted';
      addEvent(sweepId, trialId, attempt, kind, `to agent ${agentId}, slot ${slot}${from}`);
    },
    promote({ key: { sweepId, trialId, attempt } }: ChangeOf<'promoted'>): void {
      promote(sweepId, trialId, attempt);
    },
    end({ key, end: how, early, free }: ChangeOf<'ended'>, at: number, addEvent: AddEvent): void {
      const { sweepId, trialId, attempt } = key;
      const failure = how.outcome === 'failed' ? how.failure : undefined;
      const columns = [at, how.outcome, failure?.class ?? null, failure?.message ?? null, early ? 1 : 0, free ? 1 : 0];
      end(...columns, sweepId, trialId, attempt);
      sql.progress.release(sweepId, trialId);
      addEvent(sweepId, trialId, attempt, 'ended', describeEnd(how));
    },
    markStraggler({ key, detail }: ChangeOf<'straggler'>, addEvent: AddEvent): void {
      const { sweepId, trialId, attempt } = key;
      mark(detail, sweepId, trialId, attempt);
      addEvent(sweepId, trialId, attempt, 'straggler', detail);
    },
    clear({ sweepId, agentId }: ChangeOf<'cleared'>): void {
      clear(sweepId, agentId);
    },
    *report({ key, seq, at, epoch, metrics }: ChangeOf<'report'>, addEvent: AddEvent): Steps {
      const { sweepId, trialId, attempt } = key;
      if (!policies.isKnown(sweepId)) yield* policies.read(sweepId);
      const policy = policies.of(sweepId);
      const rule = policy?.ranking;
      const hidden = policy?.speculate === true && (yield* isHidden(key));
      if (rule?.metric === '' && !hidden) yield* writeImpliedMetric(key, Object.keys(metrics));
      insertReport(sweepId, trialId, attempt, seq, at, epoch, metricsJson(Object.entries(metrics)));
      addEvent(sweepId, trialId, attempt, 'reported', `epoch ${formatStep(epoch)}`);
      if (hidden) return;
      const values = yield* sql.progress.read(sweepId, trialId);
      if (values === undefined) throw new Error(`sweep ${sweepId} has no trial ${trialId}`);
      sql.progress.write(sweepId, trialId, epoch, withReport(values, epoch, Object.entries(metrics), rule));
    },
    log({ key, seq, at, text }: ChangeOf<'log'>): void {
      insertLog(key.sweepId, key.trialId, key.attempt, seq, at, text);
    },
  };
}

function describeEnd(end: AttemptEnd): string {
  return end.outcome === 'failed' ? `failed (${end.failure.class}): ${end.failure.message}` : end.outcome;
}

export function artifactWriter(sql: WriteSql) {
  const key = ['sweep_id', 'trial_id', 'attempt', 'name'];
  const insert = sql.change(upsert('artifacts', key, ['kind', 'epoch', 'size', 'sha256', 'seq', 'at']));
  const deleteCheckpoints = sql.changeReturning<{ attempt: number; name: string }>(
    "delete from artifacts where sweep_id = ? and trial_id = ? and kind = 'checkpoint' returning attempt, name",
  );
  /**
   * Removes the rows of a trial's checkpoints, and adds these checkpoints to `dropped`.
   * @param kept the checkpoint that replaces the other checkpoints; the file of this checkpoint is kept
   */
  const dropCheckpoints = (
    { sweepId, trialId }: { readonly sweepId: string; readonly trialId: string },
    dropped: DroppedArtifact[],
    kept?: { readonly attempt: number; readonly name: string },
  ): void => {
    const drop = (rows: readonly { readonly attempt: number; readonly name: string }[]) => {
      for (const { attempt, name } of rows) {
        if (attempt === kept?.attempt && name === kept.name) continue;
        dropped.push({ key: { sweepId, trialId, attempt }, name });
      }
    };
    deleteCheckpoints(drop, sweepId, trialId);
  };
  return {
    dropCheckpoints,
    /** Adds the checkpoint of the parent to the child. The child keeps this checkpoint until it stores its own. */
    inherit({ sweepId, trial: { trialId }, origin: { checkpoint } }: ChangeOf<'inherited'>, at: number): void {
      const { name, kind, epoch, size, sha256 } = checkpoint;
      insert(sweepId, trialId, PARENT_ATTEMPT, name, kind, epoch, size, sha256, 0, at);
    },
    insert({ key, seq, at, artifact }: ChangeOf<'artifact'>, dropped: DroppedArtifact[]): void {
      const { sweepId, trialId, attempt } = key;
      const { name, kind, epoch, size, sha256 } = artifact;
      if (kind === 'checkpoint') dropCheckpoints(key, dropped, { attempt, name });
      insert(sweepId, trialId, attempt, name, kind, epoch, size, sha256, seq, at);
    },
  };
}

/**
 * Returns a function that stores the program of an attempt. Each list of packages is stored only once, even if many
 * attempts use it.
 */
export function programWriter(sql: WriteSql): (change: ChangeOf<'program'>) => void {
  const columns = ['command', 'interpreter', 'python', 'environment', 'seq', 'at'];
  const insert = sql.change(upsert('programs', ['sweep_id', 'trial_id', 'attempt'], columns));
  const insertEnvironment = sql.insert('environments', ['sha256', 'packages'], 'ignore');
  return ({ key: { sweepId, trialId, attempt }, program, seq, at }) => {
    const { command, interpreter, python, packages } = program;
    const environment = packages === '' ? '' : sha256Of(packages);
    if (environment !== '') insertEnvironment(environment, packages);
    insert(sweepId, trialId, attempt, JSON.stringify(command), interpreter, python, environment, seq, at);
  };
}

export function noticeWriter(sql: WriteSql): (change: ChangeOf<'notice'>) => void {
  const key = ['sweep_id', 'trial_id', 'attempt', 'kind'];
  const insert = sql.change(upsert('notices', key, ['message', 'count', 'seq', 'at']));
  return ({ key: { sweepId, trialId, attempt }, warning, message, count, seq, at }) => {
    insert(sweepId, trialId, attempt, warning, message, count, seq, at);
  };
}

export function rungWriter(sql: WriteSql) {
  const columns = ['sweep_id', 'trial_id', 'rung', 'attempt', 'step', 'value', 'detail', 'at'];
  const insert = sql.insert('rungs', columns);
  const advance = sql.change('update rungs set detail = ? where sweep_id = ? and trial_id = ? and rung = ?');
  return {
    enter(change: ChangeOf<'rung'>, addEvent: AddEvent): void {
      const { key, rung, step, value, detail, at } = change;
      const { sweepId, trialId, attempt } = key;
      insert(sweepId, trialId, rung, attempt, step, value, detail, at);
      if (detail !== '') addEvent(sweepId, trialId, attempt, 'rung', detail);
    },
    /** Marks the trial as promoted from the rung, with the reason. */
    advance({ sweepId, trialId, rung, detail }: ChangeOf<'advanced'>, addEvent: AddEvent): void {
      advance(detail, sweepId, trialId, rung);
      addEvent(sweepId, trialId, 0, 'promoted', detail);
    },
  };
}
