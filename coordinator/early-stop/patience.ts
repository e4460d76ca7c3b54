/** Stops a trial whose metric has not improved in the last `patience` reported values. */
import type { RankingRule } from '../../lib/domain/metric-values.ts';
import { CONTINUE, type EarlyStopRule, scoreText } from './rule.ts';
import type { PatienceSettings } from './settings.ts';

export function patienceRule({ patience, minDelta, minIter }: PatienceSettings, { goal }: RankingRule): EarlyStopRule {
  return {
    entryOf: () => undefined,
    decide(curve) {
      const point = curve.at(-1);
      const before = curve.at(-1 - patience);
      if (point === undefined || before === undefined || point.step < minIter) return CONTINUE;
      if (before.best - point.best > minDelta) return CONTINUE;
      const by = minDelta > 0 ? ` by more than ${minDelta}` : '';
      const values = patience === 1 ? 'the last value' : `the last ${patience} values`;
      return {
        kind: 'stop',
        reason: `${values} did not improve on ${scoreText(before.best, goal)}${by}`,
      };
    },
  };
}
