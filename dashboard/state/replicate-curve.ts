/** The mean of a metric over the replicates of a config, epoch by epoch. */
import { ownValue } from '../../lib/domain/own-value.ts';
import { spreadOf } from '../../lib/domain/trial-result.ts';
import type { ReportPoint } from './curve-cache.ts';

export interface MeanPoint {
  readonly epoch: number;
  readonly mean: number;
  /** The standard deviation over the replicates that have reported the epoch. Zero for one replicate. */
  readonly std: number;
}

/**
 * Returns the mean at each epoch that at least one replicate has reported, in order of epochs. Values that are not
 * finite are omitted.
 */
export function meanCurve(curves: readonly (readonly ReportPoint[])[], metric: string): MeanPoint[] {
  const values = new Map<number, number[]>();
  for (const { epoch, metrics } of curves.flat()) {
    const value = ownValue(metrics, metric);
    if (value === undefined || !Number.isFinite(value)) continue;
    const known = values.get(epoch);
    if (known === undefined) values.set(epoch, [value]);
    else known.push(value);
  }
  return [...values]
    .sort(([a], [b]) => a - b)
    .map(([epoch, reported]) => {
      const { mean, std } = spreadOf(reported);
      return { epoch, mean, std };
    });
}
