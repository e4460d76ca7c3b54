/** Whether a series goes one way. */

export interface Trend {
  /** Pairs of values that rise minus pairs that fall. */
  readonly s: number;
  /** Of s, were there no trend; equal values reduce it. */
  readonly variance: number;
  /** Kendall's tau-a: s over the number of pairs, -1 (falls always) to 1 (rises always). */
  readonly tau: number;
  /** Steps from one value to the next: all, those that rise, and those that fall. */
  readonly steps: number;
  readonly ups: number;
  readonly downs: number;
}

/**
 * Mann's test of a trend (Econometrica 13, 1945) by Kendall's S.
 * @param series at least two values
 */
export function trendOf(series: readonly number[]): Trend {
  const n = series.length;
  let s = 0;
  for (const [i, earlier] of series.entries()) {
    for (let j = i + 1; j < n; j++) s += Math.sign((series[j] ?? 0) - earlier);
  }
  const steps = series.slice(1).map((value, i) => Math.sign(value - (series[i] ?? 0)));
  return {
    s,
    variance: (pairing(n) - tied(series)) / 18,
    tau: s / ((n * (n - 1)) / 2),
    steps: steps.length,
    ups: steps.filter((step) => step > 0).length,
    downs: steps.filter((step) => step < 0).length,
  };
}

/** n (n - 1) (2n + 5), of which an eighteenth is the variance of S. */
const pairing = (n: number): number => n * (n - 1) * (2 * n + 5);

function tied(series: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of series) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum + pairing(count), 0);
}

/**
 * The z of several series taken together: their S and variances added, one step of continuity off (the regional Kendall
 * test: Helsel and Frans, Environmental Science & Technology 40, 2006).
 */
export function jointZ(trends: readonly Trend[]): number {
  const s = trends.reduce((sum, trend) => sum + trend.s, 0);
  const variance = trends.reduce((sum, trend) => sum + trend.variance, 0);
  return variance === 0 ? 0 : (s - Math.sign(s)) / Math.sqrt(variance);
}
