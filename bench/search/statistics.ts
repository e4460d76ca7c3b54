/** Provides statistical tests of whether two methods differ, based on pairs of their results. */
import jStat from 'jstat';

/**
 * Returns the two-sided p-value of Wilcoxon's signed-rank test (F. Wilcoxon, Biometrics 1, 1945). Uses the normal
 * approximation with a correction for ties. Pairs without a difference are omitted.
 * @param differences one difference per pair
 */
export function signedRankP(differences: readonly number[]): number {
  const sorted = differences.filter((difference) => difference !== 0).sort((a, b) => Math.abs(a) - Math.abs(b));
  const n = sorted.length;
  if (n === 0) return 1;
  let positive = 0;
  let ties = 0;
  for (let from = 0; from < n; ) {
    let to = from;
    while (to < n && Math.abs(sorted[to] ?? 0) === Math.abs(sorted[from] ?? 0)) to++;
    const rank = (from + 1 + to) / 2;
    positive += rank * sorted.slice(from, to).filter((difference) => difference > 0).length;
    ties += (to - from) ** 3 - (to - from);
    from = to;
  }
  const mean = (n * (n + 1)) / 4;
  const variance = (n * (n + 1) * (2 * n + 1)) / 24 - ties / 48;
  return Math.min(1, 2 * jStat.normal.cdf(-Math.abs(positive - mean) / Math.sqrt(variance), 0, 1));
}

/**
 * Corrects p-values for several tests by Holm's method (S. Holm, Scand. J. Statist. 6, 1979). Returns the corrected
 * p-values in the given order.
 */
export function holm(pValues: readonly number[]): number[] {
  const order = [...pValues.keys()].sort((a, b) => (pValues[a] ?? 1) - (pValues[b] ?? 1));
  const adjusted = new Array<number>(pValues.length);
  let largest = 0;
  for (const [rank, at] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues[at] ?? 1) * (pValues.length - rank)));
    adjusted[at] = largest;
  }
  return adjusted;
}
