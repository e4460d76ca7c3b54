/** Creates the early-stopping rule that a sweep file names. */
import type { RankingRule } from '../../lib/domain/metric-values.ts';
import { ashaRule } from './asha.ts';
import { hyperbandRule } from './hyperband.ts';
import { medianRule } from './median.ts';
import { patienceRule } from './patience.ts';
import { populationRule } from './population.ts';
import type { EarlyStopRule } from './rule.ts';
import type { EarlyTerminate } from './settings.ts';
import { thresholdRule } from './threshold.ts';

export function ruleOf(settings: EarlyTerminate, ranking: RankingRule): EarlyStopRule {
  switch (settings.type) {
    case 'asha':
      return ashaRule(settings, ranking);
    case 'hyperband':
      return hyperbandRule(settings, ranking);
    case 'median':
      return medianRule(settings, ranking);
    case 'patience':
      return patienceRule(settings, ranking);
    case 'pbt':
      return populationRule(settings, ranking);
    case 'threshold':
      return thresholdRule(settings, ranking);
  }
}
