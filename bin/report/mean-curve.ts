/** Some trials' curves as one line with its band. */
import type { Report } from '../../proto/gen/trawl/v1/types.ts';
import type { EpochPoint } from './charts/line-chart.ts';

/** What the band of a line holds: all of its trials, or the middle half of them. */
export type Band = 'all' | 'middle half';

/** A point an epoch at which any trial has a finite value, in order. */
export function curvePoints(curves: readonly (readonly Report[])[], metric: string, band: Band): EpochPoint[] {
  const byEpoch = new Map<number, number[]>();
  for (const { epoch, metrics } of curves.flat()) {
    const value = metrics[metric];
    if (value === undefined || !Number.isFinite(value)) continue;
    const values = byEpoch.get(epoch);
    if (values === undefined) byEpoch.set(epoch, [value]);
    else values.push(value);
  }
  const outside = band === 'all' ? 0 : 0.25;
  return [...byEpoch]
    .map(([epoch, values]) => {
      const sorted = values.sort((a, b) => a - b);
      const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
      return { epoch, mean, low: quantile(sorted, outside), high: quantile(sorted, 1 - outside) };
    })
    .sort((a, b) => a.epoch - b.epoch);
}

/** Between two values, in proportion (Hyndman and Fan's type 7, as numpy and R have it). */
function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const [below = Number.NaN, above = below] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return below + (above - below) * (place % 1);
}
