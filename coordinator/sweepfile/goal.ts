/** Which way a metric is better when nobody says. */
import type { Metric } from './spec.ts';

export function defaultGoal(metric: string): Metric['goal'] {
  return /psnr|accuracy/.test(metric) ? 'maximize' : 'minimize';
}
