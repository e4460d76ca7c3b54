/** Functions of the standard normal distribution that are fast enough for millions of calls per suggestion. */
import jStat from 'jstat';

/**
 * Returns the cumulative distribution function with an absolute error below 1e-7 (M. Abramowitz and I. A. Stegun,
 * Handbook of Mathematical Functions, 7.1.26).
 */
export function normalShare(x: number): number {
  const z = Math.abs(x) * Math.SQRT1_2;
  const t = 1 / (1 + 0.3275911 * z);
  const polynomial = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  const tail = 0.5 * polynomial * Math.exp(-z * z);
  return x < 0 ? tail : 1 - tail;
}

/**
 * Returns the value below which the given share of the distribution lies. A share very close to 0 or 1 is clamped, so
 * that the value is finite.
 */
export function normalValue(share: number): number {
  return jStat.normal.inv(Math.min(1 - 1e-9, Math.max(1e-9, share)), 0, 1);
}
