/**
 * Hyperband as in Weights & Biases (early_terminate: {type: hyperband}). W&B calls the rungs brackets. A rung is a
 * number of reported values of the metric. At every report, a trial is compared at the highest rung that it has
 * reached. At this rung, the values of the n trials that have reached it are sorted, best first. The value at index
 * floor(n / eta), counted from 0, is the bound. The trial stops if its best value so far is worse than the bound. With
 * `strict`, the trial's value at the rung is compared instead of its best value.
 */
import type { RankingRule } from '../../lib/domain/metric-values.ts';
import { countText } from '../../lib/text/numbers.ts';
import { CONTINUE, type EarlyStopRule, scoreText } from './rule.ts';
import { fallingRungs, reachedRung, risingRungs } from './rungs.ts';
import type { HyperbandSettings } from './settings.ts';

export function bracketsOf({ steps, eta }: HyperbandSettings): number[] {
  return 'minIter' in steps ? risingRungs(steps.minIter, eta) : fallingRungs(steps.maxIter, eta, steps.brackets);
}

/** Returns the bound of a rung as a score: a trial with a worse score stops. Undefined if no trial has a score. */
export function hyperbandBound(scores: readonly number[], eta: number): number | undefined {
  return scores[Math.floor((1 / eta) * scores.length)];
}

export function hyperbandRule(settings: HyperbandSettings, { goal }: RankingRule): EarlyStopRule {
  const rungs = bracketsOf(settings);
  const { eta, strict } = settings;
  return {
    entryOf(curve) {
      const score = curve.at(-1)?.score;
      return score !== undefined && rungs.includes(curve.length) ? { rung: curve.length, score } : undefined;
    },
    decide(curve, scoresOf) {
      const rung = reachedRung(rungs, curve.length);
      const score = rung === undefined ? undefined : strict ? curve[rung - 1]?.score : curve.at(-1)?.best;
      if (rung === undefined || score === undefined) return CONTINUE;
      const scores = scoresOf(rung);
      const bound = hyperbandBound(scores, eta);
      if (bound === undefined) return CONTINUE;
      const own = `${strict ? '' : 'best value '}${scoreText(score, goal)}`;
      const compared = `than ${scoreText(bound, goal)}, the limit among ${countText(scores.length, 'trial')} at bracket ${rung}`;
      return score > bound
        ? { kind: 'stop', reason: `${own} is worse ${compared}` }
        : { kind: 'continue', reason: `${own} is not worse ${compared}` };
    },
  };
}
