/** Applies the early-stopping rule of a sweep to the reports of its trials. */
import { bisector, bisectRight } from 'd3-array';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { addPoint, type Curve, type CurvePoint, scoreOf } from '../early-stop/rule.ts';
import { ruleOf } from '../early-stop/rules.ts';
import type { RuleName } from '../early-stop/settings.ts';
import type { Artifact, Lease } from './attempt-model.ts';
import type { Sweep } from './model.ts';
import type { SweepPolicy } from './policy.ts';
import type { Change } from './step.ts';
import type { EarlyStopping } from './sweep-observations.ts';
import type { Trial } from './trial-model.ts';

export function newEarlyStopping({ earlyTerminate, ranking }: SweepPolicy): EarlyStopping | undefined {
  if (earlyTerminate === undefined) return undefined;
  const rule = ruleOf(earlyTerminate, ranking);
  return { name: earlyTerminate.type, rule, curves: new Map(), resumable: new Map(), scores: new Map() };
}

/** Begins the curve of an attempt. An attempt that resumes continues the curve up to its checkpoint. */
export function beginCurve({ earlyStopping }: Sweep, { key, resumedFrom }: Pick<Lease, 'key' | 'resumedFrom'>): void {
  if (earlyStopping === undefined) return;
  earlyStopping.curves.set(keyText(key), resumedFrom > 0 ? [...(earlyStopping.resumable.get(key.trialId) ?? [])] : []);
}

/**
 * Keeps the curve up to a checkpoint. The next attempt of the trial continues the curve if it resumes from the
 * checkpoint.
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

/** Deletes the kept curve of a trial that has a result, because the trial never resumes. */
export function forgetCurve({ earlyStopping }: Sweep, { id }: Trial): void {
  earlyStopping?.resumable.delete(id);
}

/** Adds the score of a trial that has entered a rung. */
function addScore({ scores }: EarlyStopping, rung: number, score: number): void {
  const sorted = scores.get(rung) ?? [];
  sorted.splice(bisectRight(sorted, score), 0, score);
  scores.set(rung, sorted);
}

export interface Stopped {
  readonly rule: RuleName;
  readonly reason: string;
}

export interface Judgement {
  readonly changes: readonly Change[];
  /** The reason is undefined if the trial continues. */
  readonly stopped: Stopped | undefined;
}

const NO_JUDGEMENT: Judgement = { changes: [], stopped: undefined };

export interface JudgedReport {
  readonly key: AttemptKey;
  readonly seq: number;
  readonly at: number;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Decides whether a trial continues after a report. A trial enters each rung once, even if a later attempt repeats the
 * steps. The report of the last epoch never stops a trial.
 */
export function judge({ earlyStopping, policy }: Sweep, trial: Trial, report: JudgedReport): Judgement {
  const curve = earlyStopping?.curves.get(keyText(report.key));
  const value = ownValue(report.metrics, policy.ranking.metric);
  if (earlyStopping === undefined || curve === undefined || value === undefined) return NO_JUDGEMENT;
  const { goal } = policy.ranking;
  if (!addPoint(curve, report.epoch, scoreOf(value, goal))) return NO_JUDGEMENT;
  const reached = earlyStopping.rule.entryOf(curve);
  const entered = reached !== undefined && reached.rung > trial.rung ? reached : undefined;
  if (entered !== undefined) {
    trial.rung = entered.rung;
    addScore(earlyStopping, entered.rung, entered.score);
  }
  const decision = earlyStopping.rule.decide(curve, (rung) => earlyStopping.scores.get(rung) ?? [], entered);
  const stops = decision.kind === 'stop' && (trial.epochs === undefined || report.epoch < trial.epochs);
  const changes: Change[] = [];
  if (entered !== undefined) {
    const { key, at, epoch } = report;
    const detail = stops ? '' : decision.reason;
    changes.push({
      kind: 'rung',
      key,
      at,
      rung: entered.rung,
      step: epoch,
      value: scoreOf(entered.score, goal),
      detail,
    });
  }
  return { changes, stopped: stops ? { rule: earlyStopping.name, reason: decision.reason } : undefined };
}
