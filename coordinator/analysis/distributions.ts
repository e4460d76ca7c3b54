/**
 * Quantiles and tails of Student's t, F and the normal distribution. From jstat: one package without dependencies, whose
 * values agree with scipy's to nine digits where trawl uses them (@stdlib's are as good, and bring 237 packages).
 */
import jStat from 'jstat';

/** The value that Student's t with `df` degrees of freedom stays below with probability `p`, 0 < p < 1. */
export function tQuantile(p: number, df: number): number {
  return jStat.studentt.inv(p, df);
}

/** How likely Student's t is at least this far from 0, on either side. */
export function tTwoSided(t: number, df: number): number {
  return Math.min(1, 2 * jStat.studentt.cdf(-Math.abs(t), df));
}

/** How likely F is above f. By the incomplete beta function, as 1 - cdf would come to 0 below 1e-16. */
export function fTail(f: number, df1: number, df2: number): number {
  return jStat.ibeta(df2 / (df2 + df1 * f), df2 / 2, df1 / 2);
}

/** How likely a standard normal value is at least this far from 0, on either side. */
export function normalTwoSided(z: number): number {
  return Math.min(1, 2 * jStat.normal.cdf(-Math.abs(z), 0, 1));
}
