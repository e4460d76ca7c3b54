/**
 * Asynchronous successive halving, in the variant that stops trials (Li et al., A System for Massively Parallel
 * Hyperparameter Tuning, MLSys 2020). A trial that reaches a rung continues only if it is among the best 1/eta of the
 * trials that have reached the rung so far. No trial waits for another trial.
 */
import { bisectLeft } from 'd3-array';
import type { RankingRule } from '../../lib/domain/metric-values.ts';
import { formatStep } from '../../lib/text/numbers.ts';
import { CONTINUE, type EarlyStopRule, scoreText } from './rule.ts';
import { reachedRung, risingRungs } from './rungs.ts';
import type { AshaSettings } from './settings.ts';

/** Returns how many of the trials at a rung continue. The best trial always continues. */
export function keptAt(trials: number, eta: number): number {
  return Math.max(1, Math.floor(trials / eta));
}

export function ashaRule({ minIter, maxIter, eta, variant }: AshaSettings, { at, goal }: RankingRule): EarlyStopRule {
  const rungs = risingRungs(minIter, eta, maxIter);
  return {
    entryOf(curve) {
      const point = curve.at(-1);
      const rung = point && reachedRung(rungs, point.step);
      if (point === undefined || rung === undefined) return undefined;
      const before = curve.at(-2);
      const isNew = before === undefined || before.step < rung;
      return isNew ? { rung, score: at === 'best' ? point.best : point.score } : undefined;
    },
    decide(_curve, scoresOf, entered) {
      // With the variant `promotion`, trials are compared in promotion.ts.
      if (entered === undefined || variant === 'promotion') return CONTINUE;
      const scores = scoresOf(entered.rung);
      const place = bisectLeft(scores, entered.score) + 1;
      const kept = keptAt(scores.length, eta);
      const compared = `${scoreText(entered.score, goal)} ranks ${place} of ${scores.length} at rung ${formatStep(entered.rung)}`;
      return {
        kind: place <= kept ? 'continue' : 'stop',
        reason: `${compared}; the top ${kept} ${kept === 1 ? 'continues' : 'continue'}`,
      };
    },
  };
}
