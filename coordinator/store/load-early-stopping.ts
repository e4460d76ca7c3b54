/** Loads the data of a sweep's early-stopping rule: the scores of the rungs, and the curves of live trials. */
import { ascending, group } from 'd3-array';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import type { Checkpoint, Lease } from '../core/attempt-model.ts';
import { LAST_EPOCH_DETAIL, upTo } from '../core/early-stopping.ts';
import { leasesOf } from '../core/leases.ts';
import type { Sweep } from '../core/model.ts';
import { holdsTrials } from '../core/promotions.ts';
import type { Population } from '../core/sweep-observations.ts';
import type { Trial } from '../core/trial-model.ts';
import { inRungOrder, type PromotionRung } from '../early-stop/promotion.ts';
import { addPoint, type CurvePoint, signOf } from '../early-stop/rule.ts';
import { rowsOfIds } from './dialect.ts';
import { reportsOf } from './load-reports.ts';
import type { Reader } from './reader.ts';
import { parseMetrics } from './rows.ts';

/** Loads the scores of the rungs of a sweep. */
export async function loadScores(reader: Reader, { id, policy, earlyStopping }: Sweep): Promise<void> {
  if (earlyStopping === undefined) return;
  const sign = signOf(policy.ranking.goal);
  const rows = await reader.all<RungColumns>(
    'select trial_id as "trialId", rung, value, detail from rungs where sweep_id = ?',
    id,
  );
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
  if (earlyStopping.population !== undefined) await loadPopulation(reader, id, earlyStopping.population);
}

/**
 * Loads the rung at which the members of a population were last compared, and the failed members that were not
 * replaced.
 */
async function loadPopulation(reader: Reader, sweepId: string, population: Population): Promise<void> {
  const compared = await reader.get<{ inRungs: number; inTrials: number }>(
    `select coalesce((select max(rung) from rungs where sweep_id = ?1 and detail not in ('', ?2)), 0) as "inRungs",
       coalesce((select max(compared_at) from trials where sweep_id = ?1), 0) as "inTrials"`,
    sweepId,
    LAST_EPOCH_DETAIL,
  );
  population.compared = Math.max(compared?.inRungs ?? 0, compared?.inTrials ?? 0);
  const rows = await reader.all<{ id: string }>(
    `select id from trials ${reader.dialect.index('trials_by_state')} where sweep_id = ?1 and state = 'failed'
       and id not in (select replaces from trials where sweep_id = ?1 and replaces <> '')`,
    sweepId,
  );
  for (const { id } of rows) population.vacant.add(id);
}

interface RungColumns {
  readonly trialId: string;
  readonly rung: number;
  readonly value: number;
  /** If the rule holds trials, the detail is empty until the trial is promoted from the rung. */
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

/** The last rung of a trial, the trial's score at this rung, and the last rung from which the trial was promoted. */
type TrialRungs = Pick<Trial, 'rung' | 'rungScore' | 'promotedFrom'>;

/** Returns the rungs of the given trials, by trial id. Trials that have reached no rung are omitted. */
export async function loadRungs(
  reader: Reader,
  { id, policy, earlyStopping }: Sweep,
  trialIds: readonly string[],
): Promise<Map<string, TrialRungs>> {
  const rows = await reader.all<RungColumns>(
    `select trial_id as "trialId", rung, rungs.value, detail
     from ${reader.dialect.rows('?2', 'wanted')} cross join rungs
     where sweep_id = ?1 and trial_id = wanted.value ->> 0 order by trial_id, rung`,
    id,
    rowsOfIds(trialIds),
  );
  const holds = earlyStopping !== undefined && holdsTrials(earlyStopping);
  const byTrial = new Map<string, TrialRungs>();
  for (const { trialId, rung, value, detail } of rows) {
    const isPromoted = holds && detail !== '';
    const promotedFrom = isPromoted ? rung : (byTrial.get(trialId)?.promotedFrom ?? 0);
    byTrial.set(trialId, { rung, rungScore: signOf(policy.ranking.goal) * value, promotedFrom });
  }
  return byTrial;
}

/**
 * Loads the data that a new early-stopping rule of a sweep compares: the scores of the rungs, and the curves of live
 * trials.
 */
export async function loadRuleHistory(reader: Reader, sweep: Sweep): Promise<void> {
  if (sweep.earlyStopping === undefined) return;
  await loadScores(reader, sweep);
  const trials = [...sweep.trials.values()];
  await loadCurves(reader, sweep, trials.flatMap(leasesOf));
  const resumable = trials.flatMap(({ id, checkpoint }) => (checkpoint === undefined ? [] : [{ id, checkpoint }]));
  for (const [id, curve] of await resumableCurves(reader, sweep, resumable)) {
    sweep.earlyStopping.resumable.set(id, curve);
  }
}

/** Loads the curves of running attempts. */
export async function loadCurves(
  reader: Reader,
  sweep: Sweep,
  leases: readonly Pick<Lease, 'key' | 'resumedFrom' | 'speculative'>[],
): Promise<void> {
  if (sweep.earlyStopping === undefined) return;
  const wanted = leases.map(({ key, resumedFrom, speculative }) => {
    const from = speculative || resumedFrom === 0 ? key.attempt : 1;
    return { trialId: key.trialId, from, attempt: key.attempt, key };
  });
  for await (const [{ key }, curve] of curvesOf(reader, sweep, wanted)) {
    sweep.earlyStopping.curves.set(keyText(key), curve);
  }
}

/** A trial with the checkpoint from which its next attempt resumes. */
export interface ResumableTrial {
  readonly id: string;
  readonly checkpoint: Checkpoint;
}

/** Returns the curves of trials up to their checkpoints, by trial. Empty if the sweep has no early-stopping rule. */
export async function resumableCurves(
  reader: Reader,
  sweep: Sweep,
  trials: readonly ResumableTrial[],
): Promise<Map<string, CurvePoint[]>> {
  const curves = new Map<string, CurvePoint[]>();
  if (sweep.earlyStopping === undefined) return curves;
  const wanted = trials.map(({ id, checkpoint: { attempt, epoch } }) => ({ trialId: id, from: 1, attempt, epoch }));
  for await (const [{ trialId, epoch }, curve] of curvesOf(reader, sweep, wanted)) {
    curves.set(trialId, upTo(curve, epoch));
  }
  return curves;
}

/** The maximum number of curves that are read together. */
const CURVES_PER_READ = 500;

interface WantedCurve {
  readonly trialId: string;
  /** The first attempt that can contribute points. */
  readonly from: number;
  readonly attempt: number;
}

interface CurvePart {
  readonly trialId: string;
  /** The attempt whose curve contains the points. */
  readonly target: number;
  readonly attempt: number;
  readonly resumedFrom: number;
  readonly reports: number;
}

/**
 * Yields the curves of attempts, in the given order. If an attempt resumed from a checkpoint, its curve begins with the
 * points of earlier attempts up to that checkpoint.
 */
async function* curvesOf<Wanted extends WantedCurve>(
  reader: Reader,
  { id, policy }: Sweep,
  wanted: readonly Wanted[],
): AsyncGenerator<readonly [Wanted, CurvePoint[]], void, void> {
  const { metric, goal } = policy.ranking;
  for (let at = 0; at < wanted.length; at += CURVES_PER_READ) {
    const batch = wanted.slice(at, at + CURVES_PER_READ);
    const parts = await reader.all<CurvePart>(
      `select a.trial_id as "trialId", cast(wanted.value ->> 2 as bigint) as target, a.number as attempt,
         a.resumed_from as "resumedFrom", (
           select count(*) from reports as r
           where r.sweep_id = a.sweep_id and r.trial_id = a.trial_id and r.attempt = a.number) as reports
       from ${reader.dialect.rows('?2', 'wanted')} cross join attempts as a
       where a.sweep_id = ?1 and a.trial_id = wanted.value ->> 0
         and a.number between cast(wanted.value ->> 1 as bigint) and cast(wanted.value ->> 2 as bigint)
         and (a.speculative = 0 or a.number = cast(wanted.value ->> 2 as bigint))
       order by a.trial_id, target, a.number`,
      id,
      JSON.stringify(batch.map(({ trialId, from, attempt }) => [trialId, from, attempt])),
    );
    const curves = new Map<string, CurvePoint[]>();
    for await (const [{ trialId, target, resumedFrom }, reports] of reportsOf(reader, id, parts)) {
      const name = keyText({ sweepId: id, trialId, attempt: target });
      const curve = upTo(curves.get(name) ?? [], resumedFrom);
      curves.set(name, curve);
      for (const { epoch, metrics } of reports) {
        const value = ownValue(parseMetrics(metrics), metric);
        if (value !== undefined) addPoint(curve, epoch, signOf(goal) * value);
      }
    }
    for (const of of batch) {
      yield [of, curves.get(keyText({ sweepId: id, trialId: of.trialId, attempt: of.attempt })) ?? []];
    }
  }
}
