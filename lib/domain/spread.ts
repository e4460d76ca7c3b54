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
  const [first = Number.NaN] = values;
  // Their sum may not be a whole multiple of the value to the last digit, and the spread would be that rounding.
  if (values.every((value) => value === first)) return { mean: first, std: 0, n };
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: Math.sqrt(squares / (n - 1)), n };
}
