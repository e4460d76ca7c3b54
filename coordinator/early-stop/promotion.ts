/**
 * Asynchronous successive halving, in the variant that promotes trials (Li et al., A System for Massively Parallel
 * Hyperparameter Tuning, MLSys 2020, algorithm 2). A trial that reaches a rung waits there until it is among the best
 * 1/eta of the trials that have reached the rung.
 */
import { bisectLeft, bisector, bisectRight } from 'd3-array';

/** A trial that waits at a rung. */
export interface WaitingTrial {
  readonly trialId: string;
  readonly score: number;
}

/** The trials that have entered a rung. */
export interface PromotionRung {
  /** The scores of all trials, in ascending order. */
  readonly scores: number[];
  /** The scores of the promoted trials, in ascending order. */
  readonly promoted: number[];
  /** The trials that have not been promoted, in ascending order of their scores, then of their ids. */
  readonly waiting: WaitingTrial[];
}

export function newPromotionRung(): PromotionRung {
  return { scores: [], promoted: [], waiting: [] };
}

/** Compares trials by their scores, then by their ids. */
export function inRungOrder(a: WaitingTrial, b: WaitingTrial): number {
  if (a.score !== b.score) return a.score - b.score;
  return a.trialId < b.trialId ? -1 : a.trialId > b.trialId ? 1 : 0;
}

const byOrder = bisector(inRungOrder);
const byScore = bisector(({ score }: WaitingTrial) => score);

/**
 * Returns the number of trials that are promoted from a rung. The number can be 0. In the variant that stops trials
 * (asha.ts), at least one trial always continues.
 */
export function promotedAt(trials: number, eta: number): number {
  return Math.floor(trials / eta);
}

/** Adds a trial that has entered the rung. */
export function enterRung(rung: PromotionRung, trial: WaitingTrial): void {
  rung.scores.splice(bisectRight(rung.scores, trial.score), 0, trial.score);
  rung.waiting.splice(byOrder.left(rung.waiting, trial), 0, trial);
}

export function isWaitingAt({ waiting }: PromotionRung, trial: WaitingTrial): boolean {
  return waiting[byOrder.left(waiting, trial)]?.trialId === trial.trialId;
}

/**
 * Returns the rank of a waiting trial at its rung, counted from 1. Promoted trials precede waiting trials with equal
 * scores.
 */
export function promotionRank({ scores, promoted, waiting }: PromotionRung, trial: WaitingTrial): number {
  const { score } = trial;
  const promotedTies = bisectRight(promoted, score) - bisectLeft(promoted, score);
  const waitingTies = byOrder.left(waiting, trial) - byScore.left(waiting, score);
  return bisectLeft(scores, score) + promotedTies + waitingTies + 1;
}

/** Promotes a waiting trial. Does nothing if the trial does not wait at the rung. */
export function promoteFrom(rung: PromotionRung, trial: WaitingTrial): void {
  if (!isWaitingAt(rung, trial)) return;
  rung.waiting.splice(byOrder.left(rung.waiting, trial), 1);
  rung.promoted.splice(bisectRight(rung.promoted, trial.score), 0, trial.score);
}

/**
 * Promotes every waiting trial that is among the best 1/eta of its rung, and returns these trials, best first.
 * @param isLive whether a trial has not ended. A trial that has ended keeps its rank, and is not promoted
 */
export function promoteBest(rung: PromotionRung, eta: number, isLive: (trialId: string) => boolean): WaitingTrial[] {
  const count = promotedAt(rung.scores.length, eta);
  const best: WaitingTrial[] = [];
  for (const trial of rung.waiting) {
    if (promotionRank(rung, trial) > count) break;
    if (isLive(trial.trialId)) best.push(trial);
  }
  for (const trial of best) promoteFrom(rung, trial);
  return best;
}
