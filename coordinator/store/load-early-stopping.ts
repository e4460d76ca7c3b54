/** Loads the data of a sweep's early-stopping rule: the scores of the rungs, and the curves of live trials. */
import { ascending, group } from 'd3-array';
import type { Database } from 'libsql';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import type { Checkpoint, Lease } from '../core/attempt-model.ts';
import { LAST_EPOCH_DETAIL, upTo } from '../core/early-stopping.ts';
import type { Sweep } from '../core/model.ts';
import { holdsTrials } from '../core/promotions.ts';
import type { Population } from '../core/sweep-observations.ts';
import type { Trial } from '../core/trial-model.ts';
import { inRungOrder, type PromotionRung } from '../early-stop/promotion.ts';
import { addPoint, type CurvePoint, signOf } from '../early-stop/rule.ts';
import { parseMetrics, type ReportColumns } from './rows.ts';

/** Loads the scores of the rungs of a sweep. */
export function loadScores(db: Database, { id, policy, earlyStopping }: Sweep): void {
  if (earlyStopping === undefined) return;
  const sign = signOf(policy.ranking.goal);
  const rows = db
    .prepare('select trial_id as trialId, rung, value, detail from rungs where sweep_id = ?')
    .all(id) as RungColumns[];
  if (earlyStopping.promotion !== undefined) {
    for (const [rung, entries] of group(rows, (row) => row.rung)) {
      earlyStopping.promotion.rungs.set(rung, loadPromotionRung(entries, sign));
    }
    return;
  }
  for (const [rung, entries] of group(rows, (row) => row.rung)) {
    const sorted = entries.map(({ value }) => sign * value).sort((a, b) => a - b);
    earlyStopping.scores.set(rung, sorted);
  }
  if (earlyStopping.population !== undefined) loadPopulation(db, id, earlyStopping.population);
}

/**
 * Loads the rung at which the members of a population were last compared, and the failed members that were not
 * replaced.
 */
function loadPopulation(db: Database, sweepId: string, population: Population): void {
  const { compared } = db
    .prepare(
      `select max(
         coalesce((select max(rung) from rungs where sweep_id = ?1 and detail not in ('', ?2)), 0),
         coalesce((select max(compared_at) from trials where sweep_id = ?1), 0)) as compared`,
    )
    .get(sweepId, LAST_EPOCH_DETAIL) as { compared: number };
  population.compared = compared;
  const rows = db
    .prepare(
      `select id from trials indexed by trials_by_state where sweep_id = ?1 and state = 'failed'
         and id not in (select replaces from trials where sweep_id = ?1 and replaces <> '')`,
    )
    .all(sweepId) as { id: string }[];
  for (const { id } of rows) population.vacant.add(id);
}

interface RungColumns {
  readonly trialId: string;
  readonly rung: number;
  readonly value: number;
  /** Empty if the trial was not promoted from the rung. */
  readonly detail: string;
}

/** Builds a rung from all of its trials at once, because adding them one by one would take quadratic time. */
function loadPromotionRung(entries: readonly RungColumns[], sign: 1 | -1): PromotionRung {
  const scored = entries.map(({ trialId, value, detail }) => ({ trialId, score: sign * value, detail }));
  const scores = (of: typeof scored) => of.map(({ score }) => score).sort(ascending);
  const waiting = scored.filter(({ detail }) => detail === '').map(({ trialId, score }) => ({ trialId, score }));
  return {
    scores: scores(scored),
    promoted: scores(scored.filter(({ detail }) => detail !== '')),
    waiting: waiting.sort(inRungOrder),
  };
}

/** The last rung of a trial with its score there, and the last rung from which the trial was promoted. */
type TrialRungs = Pick<Trial, 'rung' | 'rungScore' | 'promotedFrom'>;

/**
 * Returns the rungs of the given trials, by trial id. Trials that have reached no rung are omitted.
 * @param list the ids of the trials, as a JSON list
 */
export function loadRungs(db: Database, { id, policy, earlyStopping }: Sweep, list: string): Map<string, TrialRungs> {
  const rows = db
    .prepare(
      `select trial_id as trialId, rung, rungs.value, detail from json_each(?2) as wanted cross join rungs
       where sweep_id = ?1 and trial_id = wanted.value order by trial_id, rung`,
    )
    .all(id, list) as RungColumns[];
  const holds = earlyStopping !== undefined && holdsTrials(earlyStopping);
  const byTrial = new Map<string, TrialRungs>();
  for (const { trialId, rung, value, detail } of rows) {
    const isPromoted = holds && detail !== '';
    const promotedFrom = isPromoted ? rung : (byTrial.get(trialId)?.promotedFrom ?? 0);
    byTrial.set(trialId, { rung, rungScore: signOf(policy.ranking.goal) * value, promotedFrom });
  }
  return byTrial;
}

/** Loads the curve of a running attempt. */
export function loadCurve(
  db: Database,
  sweep: Sweep,
  { key, resumedFrom, speculative }: Pick<Lease, 'key' | 'resumedFrom' | 'speculative'>,
): void {
  if (sweep.earlyStopping === undefined) return;
  const from = speculative || resumedFrom === 0 ? key.attempt : 1;
  sweep.earlyStopping.curves.set(keyText(key), readCurve(db, sweep, key, from));
}

/** Loads the curve up to a checkpoint, for the next attempt, which resumes from that checkpoint. */
export function loadResumableCurve(db: Database, sweep: Sweep, trialId: string, { attempt, epoch }: Checkpoint): void {
  if (sweep.earlyStopping === undefined) return;
  const curve = readCurve(db, sweep, { sweepId: sweep.id, trialId, attempt }, 1);
  sweep.earlyStopping.resumable.set(trialId, upTo(curve, epoch));
}

/**
 * Returns the curve of an attempt. If the attempt resumed from a checkpoint, the curve begins with the points of
 * earlier attempts up to that checkpoint.
 */
function readCurve(
  db: Database,
  { policy }: Sweep,
  { sweepId, trialId, attempt }: AttemptKey,
  from: number,
): CurvePoint[] {
  const attempts = db
    .prepare(
      `select number, resumed_from as resumedFrom from attempts
       where sweep_id = ? and trial_id = ? and number between ? and ? and (speculative = 0 or number = ?) order by number`,
    )
    .all(sweepId, trialId, from, attempt, attempt) as { number: number; resumedFrom: number }[];
  const select = db.prepare(
    'select epoch, metrics from reports where sweep_id = ? and trial_id = ? and attempt = ? order by seq',
  );
  const { metric, goal } = policy.ranking;
  let curve: CurvePoint[] = [];
  for (const { number, resumedFrom } of attempts) {
    curve = upTo(curve, resumedFrom);
    for (const { epoch, metrics } of select.all(sweepId, trialId, number) as ReportColumns[]) {
      const value = ownValue(parseMetrics(metrics), metric);
      if (value !== undefined) addPoint(curve, epoch, signOf(goal) * value);
    }
  }
  return curve;
}
