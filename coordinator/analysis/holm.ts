/** Several tests at once. */

/**
 * The error rate that each of several tests is held to so that, taken together, they go wrong no more often than `alpha`:
 * Holm's step-down procedure (Scandinavian Journal of Statistics 6, 1979). The smallest p-value is held to alpha / m, the
 * next to alpha / (m - 1), and so on; from the first that fails on, all are held to that one's, so that an interval at
 * 1 - rate excludes no effect exactly when the procedure rejects it.
 * @returns in the order of the p-values
 */
export function holmRates(pValues: readonly number[], alpha: number): number[] {
  const order = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const rates = new Array<number>(pValues.length).fill(alpha);
  let stopped: number | undefined;
  for (const [place, { p, index }] of order.entries()) {
    const rate = stopped ?? alpha / (pValues.length - place);
    rates[index] = rate;
    if (p > rate) stopped = rate;
  }
  return rates;
}
