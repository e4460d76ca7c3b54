/** Combines the curves of several trials into one line with a band. */
import { group, quantile } from 'd3-array';
import { finiteMetric, meanOf } from '../../lib/domain/trial-result.ts';
import type { Report } from '../../proto/gen/trawl/v1/types.ts';
import type { EpochPoint } from './charts/line-chart.ts';

/** The values that the band spans at each epoch. */
export type Band = 'all' | 'middle half';

/** Returns one point for each epoch at which any trial has a finite value, in the order of the epochs. */
export function curvePoints(curves: readonly (readonly Report[])[], metric: string, band: Band): EpochPoint[] {
  const points = curves.flat().flatMap(({ epoch, metrics }) => {
    const value = finiteMetric(metrics, metric);
    return value === undefined ? [] : [{ epoch, value }];
  });
  const outside = band === 'all' ? 0 : 0.25;
  return [...group(points, ({ epoch }) => epoch)]
    .map(([epoch, own]) => {
      const values = own.map(({ value }) => value);
      const low = quantile(values, outside) ?? Number.NaN;
      return { epoch, mean: meanOf(values), low, high: quantile(values, 1 - outside) ?? Number.NaN };
    })
    .sort((a, b) => a.epoch - b.epoch);
}
