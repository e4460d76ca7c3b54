/** What the values of some replicates come to. */
export interface Spread {
  readonly mean: number;
  /** Standard deviation of the sample (n - 1 in the denominator); 0 when n is 1. */
  readonly std: number;
  readonly n: number;
}

/** @param values at least one, all finite */
export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: n > 1 ? Math.sqrt(squares / (n - 1)) : 0, n };
}
