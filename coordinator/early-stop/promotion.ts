/**
 * Asynchronous successive halving, in the form that promotes trials (Li et al., A System for Massively Parallel
 * Hyperparameter Tuning, MLSys 2020, algorithm 2). A trial that reaches a rung waits there until it is among the best
 * 1/eta of the trials that have reached the rung.
 */
import { bisectLeft, bisector, bisectRight } from 'd3-array';

/** A trial that waits at a rung. */
export interface Entrant {
  readonly trialId: string;
  readonly score: number;
}

/** The trials that have entered a rung. */
export interface PromotionRung {
  /** The scores of all trials, in ascending order. */
  readonly scores: number[];
  /** The scores of the promoted trials, in ascending order. */
  readonly promoted: number[];
  /** The trials that were not promoted, in ascending order of their scores, then of their ids. */
  readonly waiting: Entrant[];
}

export function newPromotionRung(): PromotionRung {
  return { scores: [], promoted: [], waiting: [] };
}

/** Compares trials by their scores, then by their ids. */
export function inRungOrder(a: Entrant, b: Entrant): number {
  if (a.score !== b.score) return a.score - b.score;
  return a.trialId < b.trialId ? -1 : a.trialId > b.trialId ? 1 : 0;
}

const byOrder = bisector(inRungOrder);
const byScore = bisector(({ score }: Entrant) => score);

/** Returns the number of trials that are promoted from a rung. Unlike in the form that stops trials, this can be 0. */
export function promotedAt(trials: number, eta: number): number {
  return Math.floor(trials / eta);
}

/** Adds a trial that has entered the rung. */
export function enterRung(rung: PromotionRung, entrant: Entrant): void {
  rung.scores.splice(bisectRight(rung.scores, entrant.score), 0, entrant.score);
  rung.waiting.splice(byOrder.left(rung.waiting, entrant), 0, entrant);
}

export function isWaitingAt({ waiting }: PromotionRung, entrant: Entrant): boolean {
  return waiting[byOrder.left(waiting, entrant)]?.trialId === entrant.trialId;
}

/** Returns the rank of a waiting trial at its rung, from 1. Promoted trials precede waiting trials with equal scores. */
export function rankOf({ scores, promoted, waiting }: PromotionRung, entrant: Entrant): number {
  const { score } = entrant;
  const promotedTies = bisectRight(promoted, score) - bisectLeft(promoted, score);
  const waitingTies = byOrder.left(waiting, entrant) - byScore.left(waiting, score);
  return bisectLeft(scores, score) + promotedTies + waitingTies + 1;
}

/** Promotes a waiting trial. Does nothing if the trial does not wait at the rung. */
export function promoteFrom(rung: PromotionRung, entrant: Entrant): void {
  if (!isWaitingAt(rung, entrant)) return;
  rung.waiting.splice(byOrder.left(rung.waiting, entrant), 1);
  rung.promoted.splice(bisectRight(rung.promoted, entrant.score), 0, entrant.score);
}

/**
 * Promotes every waiting trial that is among the best 1/eta of its rung, and returns these trials, best first.
 * @param isLive whether a trial has not ended. A trial that has ended keeps its rank, and is not promoted
 */
export function promoteBest(rung: PromotionRung, eta: number, isLive: (trialId: string) => boolean): Entrant[] {
  const count = promotedAt(rung.scores.length, eta);
  const best: Entrant[] = [];
  for (const entrant of rung.waiting) {
    if (rankOf(rung, entrant) > count) break;
    if (isLive(entrant.trialId)) best.push(entrant);
  }
  for (const entrant of best) promoteFrom(rung, entrant);
  return best;
}
