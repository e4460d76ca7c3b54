/**
 * The median stopping rule (Golovin et al., Google Vizier: A Service for Black-Box Optimization, KDD 2017). The running
 * average of a trial is the mean of its values up to a step. A trial stops at a step if its best value so far is worse
 * than the median of the other trials' running averages at the step. The other trials include trials that still run, so
 * that trials that start together can be compared.
 */
import { bisectLeft } from 'd3-array';
import type { RankingRule } from '../../lib/domain/metric-values.ts';
import { countText, formatStep } from '../../lib/text/numbers.ts';
import { CONTINUE, type EarlyStopRule, scoreText } from './rule.ts';
import type { MedianSettings } from './settings.ts';

export function medianRule({ minIter, minTrials }: MedianSettings, { goal }: RankingRule): EarlyStopRule {
  return {
    entryOf(curve) {
      const point = curve.at(-1);
      return point === undefined || point.step < minIter ? undefined : { rung: point.step, score: point.mean };
    },
    decide(curve, scoresOf, entered) {
      const point = curve.at(-1);
      if (entered === undefined || point === undefined) return CONTINUE;
      const scores = scoresOf(entered.rung);
      const others = scores.length - 1;
      if (others < Math.max(1, minTrials)) return CONTINUE;
      const median = medianWithout(scores, bisectLeft(scores, entered.score));
      const own = `best value ${scoreText(point.best, goal)}`;
      const compared = `than the median ${scoreText(median, goal)} of ${countText(others, 'other trial')} at step ${formatStep(entered.rung)}`;
      return point.best > median
        ? { kind: 'stop', reason: `${own} is worse ${compared}` }
        : { kind: 'continue', reason: `${own} is not worse ${compared}` };
    },
  };
}

/** Returns the median of a sorted list, ignoring the number at `index`. */
function medianWithout(sorted: readonly number[], index: number): number {
  const at = (position: number) => sorted[position < index ? position : position + 1] ?? Number.NaN;
  const count = sorted.length - 1;
  const upper = Math.floor(count / 2);
  return count % 2 === 1 ? at(upper) : (at(upper - 1) + at(upper)) / 2;
}
