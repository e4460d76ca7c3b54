/**
 * Maps the values of a distribution to coordinates between 0 and 1. This mapping is the inverse of the mapping in
 * quantile.ts. In these coordinates, every distribution is uniform.
 */
import jStat from 'jstat';
import type { Distribution } from '../distribution.ts';

/**
 * The coordinates of one value of a parameter. A value of an integer distribution, or of a distribution with `q`,
 * covers an interval of coordinates. Any other value has a single coordinate.
 */
export interface CoordinateCell {
  readonly low: number;
  readonly high: number;
}

export type NumericDistribution = Exclude<Distribution, { readonly kind: 'constant' | 'categorical' }>;

/** Returns whether the values of the distribution are numbers on a scale. */
export function isNumeric(distribution: Distribution): distribution is NumericDistribution {
  return distribution.kind !== 'constant' && distribution.kind !== 'categorical';
}

/** Returns the coordinates of a value. A value outside the limits has the coordinate of the nearest limit. */
export function cellOf(distribution: NumericDistribution, value: number): CoordinateCell {
  switch (distribution.kind) {
    case 'int_uniform': {
      const { min, max } = distribution;
      const values = max - min + 1;
      if (!Number.isFinite(values)) return point(shareOfRange(min, max, value));
      const position = Math.min(max, Math.max(min, Math.round(value))) - min;
      return { low: position / values, high: (position + 1) / values };
    }
    case 'uniform':
    case 'log_uniform': {
      const { min, max, q } = distribution;
      if (q === undefined) return point(shareBelow(distribution, value));
      const low = value - q < min ? 0 : shareBelow(distribution, value - q / 2);
      const high = value + q > max ? 1 : shareBelow(distribution, value + q / 2);
      return { low, high };
    }
    case 'normal':
    case 'log_normal':
    case 'beta': {
      const { q } = distribution;
      if (q === undefined) return point(shareBelow(distribution, value));
      return { low: shareBelow(distribution, value - q / 2), high: shareBelow(distribution, value + q / 2) };
    }
  }
}

function point(coordinate: number): CoordinateCell {
  return { low: coordinate, high: coordinate };
}

/** Returns the cumulative distribution function at a value. */
function shareBelow(distribution: Exclude<NumericDistribution, { kind: 'int_uniform' }>, value: number): number {
  switch (distribution.kind) {
    case 'uniform':
      return shareOfRange(distribution.min, distribution.max, value);
    case 'log_uniform':
      return shareOfRange(Math.log(distribution.min), Math.log(distribution.max), Math.log(Math.max(value, 0)));
    case 'normal':
      return normalShare(distribution, value);
    case 'log_normal':
      return normalShare(distribution, Math.log(Math.max(value, 0)));
    case 'beta':
      return jStat.beta.cdf(Math.min(1, Math.max(0, value)), distribution.a, distribution.b);
  }
}

function shareOfRange(min: number, max: number, value: number): number {
  if (min === max) return 0.5;
  // The halves are subtracted, because max - min can exceed the largest number.
  const share = Number.isFinite(max - min) ? (value - min) / (max - min) : (value / 2 - min / 2) / (max / 2 - min / 2);
  return Math.min(1, Math.max(0, share));
}

function normalShare({ mu, sigma }: { readonly mu: number; readonly sigma: number }, value: number): number {
  if (sigma === 0) return 0.5;
  return value === Number.NEGATIVE_INFINITY ? 0 : jStat.normal.cdf(value, mu, sigma);
}
