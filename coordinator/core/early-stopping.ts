/** Applies the early-stopping rule of a sweep to the reports of its trials. */
import { bisector, bisectRight } from 'd3-array';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { enterRung, newPromotionRung } from '../early-stop/promotion.ts';
import { addPoint, type Curve, type CurvePoint, signOf } from '../early-stop/rule.ts';
import { ruleOf } from '../early-stop/rules.ts';
import type { RuleName } from '../early-stop/settings.ts';
import type { Artifact, Lease } from './attempt-model.ts';
import type { Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import {
  type Hold,
  holdAtCheckpoint,
  holdAtReport,
  holdsTrials,
  isAtLastEpoch,
  passLastRung,
  promoteAt,
} from './promotions.ts';
import type { Change } from './step.ts';
import type { EarlyStopping } from './sweep-observations.ts';
import type { Trial } from './trial-model.ts';

export function newEarlyStopping({ earlyTerminate, ranking }: SweepPolicy): EarlyStopping | undefined {
  if (earlyTerminate === undefined) return undefined;
  const rule = ruleOf(earlyTerminate, ranking);
  const promotes = earlyTerminate.type === 'asha' && earlyTerminate.variant === 'promotion';
  const promotion = promotes ? { eta: earlyTerminate.eta, rungs: new Map() } : undefined;
  const isPopulation = earlyTerminate.type === 'pbt';
  const population = isPopulation ? { settings: earlyTerminate, compared: 0, vacant: new Set<string>() } : undefined;
  const name = earlyTerminate.type;
  return { name, rule, curves: new Map(), resumable: new Map(), scores: new Map(), promotion, population };
}

/**
 * Begins the curve of an attempt. The curve of a resumed attempt begins with the points up to the checkpoint that the
 * attempt resumes from.
 */
export function beginCurve({ earlyStopping }: Sweep, { key, resumedFrom }: Pick<Lease, 'key' | 'resumedFrom'>): void {
  if (earlyStopping === undefined) return;
  earlyStopping.curves.set(keyText(key), resumedFrom > 0 ? [...(earlyStopping.resumable.get(key.trialId) ?? [])] : []);
}

/**
 * Keeps the part of an attempt's curve up to a checkpoint. The trial's next attempt continues this curve if it resumes
 * from the checkpoint.
 */
export function keepCurve({ earlyStopping }: Sweep, key: AttemptKey, { epoch }: Pick<Artifact, 'epoch'>): void {
  const curve = earlyStopping?.curves.get(keyText(key));
  if (earlyStopping === undefined || curve === undefined) return;
  earlyStopping.resumable.set(key.trialId, upTo(curve, epoch));
}

const bySteps = bisector((point: CurvePoint) => point.step);

/** Returns the points of a curve up to a step, inclusive. */
export function upTo(curve: Curve, step: number): CurvePoint[] {
  return curve.slice(0, bySteps.right(curve, step));
}

/** Deletes the curve of an attempt that has ended. */
export function endCurve({ earlyStopping }: Sweep, key: AttemptKey): void {
  earlyStopping?.curves.delete(keyText(key));
}

/**
 * Deletes the curve that was kept for the next attempt of a trial. The trial has ended, so it has no next attempt. If a
 * user retries the trial, the curve is loaded from the store.
 */
export function forgetCurve({ earlyStopping }: Sweep, { id }: Trial): void {
  earlyStopping?.resumable.delete(id);
}

/** Adds the score with which a trial entered a rung to the scores of this rung. */
function addScore({ scores, promotion }: EarlyStopping, trialId: string, rung: number, score: number): void {
  if (promotion !== undefined) {
    const entered = promotion.rungs.get(rung) ?? newPromotionRung();
    promotion.rungs.set(rung, entered);
    enterRung(entered, { trialId, score });
    return;
  }
  const sorted = scores.get(rung) ?? [];
  sorted.splice(bisectRight(sorted, score), 0, score);
  scores.set(rung, sorted);
}

/** The end of an attempt that the rule stops or holds. */
export interface RuleEnd {
  /** A held trial can resume later. */
  readonly outcome: 'stopped' | 'held';
  readonly rule: RuleName;
  readonly reason: string;
}

export interface StopJudgment {
  readonly changes: readonly Change[];
  /** Undefined if the trial continues. */
  readonly end: RuleEnd | undefined;
}

/** The reason, for display, why a trial that enters a rung at its last epoch is not held. */
export const LAST_EPOCH_DETAIL = 'a trial at its last epoch needs no promotion';

const NO_JUDGMENT: StopJudgment = { changes: [], end: undefined };

export interface JudgedReport {
  readonly key: AttemptKey;
  readonly seq: number;
  readonly at: number;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Decides whether a trial continues after one of its checkpoints is stored. */
export function judgeCheckpoint(sweep: Sweep, trial: Trial, artifact: Pick<Artifact, 'epoch'>): StopJudgment {
  return judgmentOf(sweep, holdAtCheckpoint(sweep, trial, artifact));
}

function judgmentOf({ earlyStopping }: Sweep, { changes, reason }: Hold): StopJudgment {
  const isHeld = earlyStopping !== undefined && reason !== undefined;
  return { changes, end: isHeld ? { outcome: 'held', rule: earlyStopping.name, reason } : undefined };
}

/**
 * Decides whether a trial continues after a report. A trial enters each rung at most once, even if a later attempt
 * repeats the steps. The report of the last epoch never stops a trial.
 */
export function judgeReport(sweep: Sweep, trial: Trial, report: JudgedReport): StopJudgment {
  const { earlyStopping, policy } = sweep;
  const curve = earlyStopping?.curves.get(keyText(report.key));
  const value = ownValue(report.metrics, policy.ranking.metric);
  if (earlyStopping === undefined || curve === undefined || value === undefined) return NO_JUDGMENT;
  const sign = signOf(policy.ranking.goal);
  if (!addPoint(curve, report.epoch, sign * value)) return NO_JUDGMENT;
  const hold = holdAtReport(sweep, trial, report.epoch);
  if (hold.reason !== undefined) return judgmentOf(sweep, hold);
  const reached = earlyStopping.rule.entryOf(curve);
  const entered = reached !== undefined && reached.rung > trial.rung ? reached : undefined;
  if (entered !== undefined) {
    trial.rung = entered.rung;
    trial.rungScore = entered.score;
    addScore(earlyStopping, trial.id, entered.rung, entered.score);
  }
  const decision = earlyStopping.rule.decide(curve, (rung) => earlyStopping.scores.get(rung) ?? [], entered);
  const stops = decision.kind === 'stop' && !isAtLastEpoch(trial, report.epoch);
  const changes: Change[] = [...hold.changes];
  if (entered !== undefined) {
    const { key, at, epoch } = report;
    const { promotion } = earlyStopping;
    const passes = holdsTrials(earlyStopping) && isAtLastEpoch(trial, epoch);
    if (passes) passLastRung(promotion, trial);
    const detail = stops ? '' : passes ? LAST_EPOCH_DETAIL : decision.reason;
    changes.push({
      kind: 'rung',
      key,
      at,
      rung: entered.rung,
      step: epoch,
      value: sign * entered.score,
      detail,
    });
    if (promotion !== undefined) changes.push(...promoteAt(sweep, promotion, entered.rung));
  }
  return {
    changes,
    end: stops ? { outcome: 'stopped', rule: earlyStopping.name, reason: decision.reason } : undefined,
  };
}
