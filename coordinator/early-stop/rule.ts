/**
 * Defines the interface of the early-stopping rules. A rule is a pure function of a trial's curve and of the scores of
 * all trials at the rungs. A score is a value of the ranking metric, negated if the metric is maximized, so that lower
 * scores are better.
 */
import type { GoalName } from '../../proto/names.ts';

/** A trial's value of the ranking metric at one step. */
export interface CurvePoint {
  readonly step: number;
  readonly score: number;
  /** The best score up to this step. */
  readonly best: number;
  /** The mean of the scores up to this step. */
  readonly mean: number;
}

/** The points of a trial's curve, in order of their steps. */
export type Curve = readonly CurvePoint[];

/** A trial's score at a rung. A trial enters each rung at most once. */
interface RungEntry {
  readonly rung: number;
  readonly score: number;
}

/** Returns the scores of all trials that entered a rung, including the current trial, in ascending order. */
type RungScores = (rung: number) => readonly number[];

export interface StopDecision {
  readonly kind: 'continue' | 'stop';
  /** One human-readable phrase. Always present if the trial stops; may be empty if the trial continues. */
  readonly reason: string;
}

export const CONTINUE: StopDecision = { kind: 'continue', reason: '' };

export interface EarlyStopRule {
  /**
   * Returns the rung that a trial enters with the newest point of its curve, and the score at this rung.
   * Undefined if the point reaches no new rung.
   */
  readonly entryOf: (curve: Curve) => RungEntry | undefined;
  /** @param entered the result of `entryOf` for the newest point */
  readonly decide: (curve: Curve, scoresOf: RungScores, entered: RungEntry | undefined) => StopDecision;
}

/** Returns the factor that converts a value to its score, and a score to its value. */
export function signOf(goal: GoalName): 1 | -1 {
  return goal === 'minimize' ? 1 : -1;
}

/** Converts a score to the metric value, and formats this value with at most six significant digits. */
export function scoreText(score: number, goal: GoalName): string {
  return `${Number((signOf(goal) * score).toPrecision(6))}`;
}

/**
 * Adds a point to a curve. Returns false, and adds nothing, if the step is not higher than the last step or the score
 * is not finite.
 */
export function addPoint(curve: CurvePoint[], step: number, score: number): boolean {
  const last = curve.at(-1);
  if (!Number.isFinite(score) || (last !== undefined && step <= last.step)) return false;
  const best = last === undefined ? score : Math.min(last.best, score);
  const mean = last === undefined ? score : last.mean + (score - last.mean) / (curve.length + 1);
  curve.push({ step, score, best, mean });
  return true;
}
