/** Stops a trial whose metric is worse than a fixed value. */
import type { RankingRule } from '../../lib/domain/metric-values.ts';
import { formatStep } from '../../lib/text/numbers.ts';
import { CONTINUE, type EarlyStopRule, scoreText, signOf } from './rule.ts';
import type { ThresholdSettings } from './settings.ts';

export function thresholdRule({ worseThan, minIter }: ThresholdSettings, { goal }: RankingRule): EarlyStopRule {
  const bound = signOf(goal) * worseThan;
  return {
    entryOf: () => undefined,
    decide(curve) {
      const point = curve.at(-1);
      if (point === undefined || point.step < minIter || point.score <= bound) return CONTINUE;
      return {
        kind: 'stop',
        reason: `${scoreText(point.score, goal)} at step ${formatStep(point.step)} is worse than ${worseThan}`,
      };
    },
  };
}
