/**
 * Computes estimates, intervals and tests for weighted sums of means. A cell is a set of replicates, such as the
 * replicates of one config. Variances may differ between cells. For two cells with the weights 1 and -1, the test is
 * Welch's t-test (Biometrika 34, 1947). For any number of cells, the degrees of freedom are Satterthwaite's (Biometrics
 * Bulletin 2, 1946).
 *
 * Distributions come from jstat, which has no dependencies and agrees with scipy to nine digits in the range used here.
 */
import { sum } from 'd3-array';
import jStat from 'jstat';
import { spreadOf } from '../../lib/domain/trial-result.ts';

export interface Cell {
  readonly weight: number;
  /** The results of the cell: at least two values, so that their variance is defined. */
  readonly values: readonly number[];
}

export interface Contrast {
  readonly effect: number;
  /** The standard error is 0 if the values do not vary within any cell. */
  readonly standardError: number;
  /** The degrees of freedom; Infinity if the values do not vary. */
  readonly df: number;
  /**
   * Hedges' g: the effect in standard deviations. The effect size is infinite if the values do not vary and the effect
   * is not 0.
   */
  readonly g: number;
}

export function contrastOf(cells: readonly Cell[]): Contrast {
  const spreads = cells.map(({ weight, values }) => ({ weight, ...spreadOf(values) }));
  const effect = sum(spreads, ({ weight, mean }) => weight * mean);
  const variances = spreads.map(({ weight, std, n }) => ({ variance: (weight ** 2 * std ** 2) / n, n }));
  const total = sum(variances, ({ variance }) => variance);
  return {
    effect,
    standardError: Math.sqrt(total),
    df: total === 0 ? Number.POSITIVE_INFINITY : satterthwaite(variances, total),
    g: hedgesG(effect, spreads),
  };
}

/**
 * Returns Satterthwaite's degrees of freedom. Relative variances are used, because the squares of very small variances
 * would underflow.
 */
function satterthwaite(parts: readonly { variance: number; n: number }[], total: number): number {
  return 1 / sum(parts, ({ variance, n }) => (variance / total) ** 2 / (n - 1));
}

/**
 * Returns Hedges' g: the effect in pooled standard deviations, times 1 - 3/(4 df - 1) as a correction for small samples
 * (Hedges, Journal of Educational Statistics 6, 1981).
 */
function hedgesG(effect: number, spreads: readonly { std: number; n: number }[]): number {
  if (effect === 0) return 0;
  const df = sum(spreads, ({ n }) => n - 1);
  const pooled = Math.sqrt(sum(spreads, ({ std, n }) => (n - 1) * std ** 2) / df);
  return (effect / pooled) * (1 - 3 / (4 * df - 1));
}

/** Returns the confidence interval of the effect at a level such as 0.95. */
export function intervalOf({ effect, standardError, df }: Contrast, level: number): { low: number; high: number } {
  if (standardError === 0) return { low: effect, high: effect };
  const half = tQuantile(0.5 + level / 2, df) * standardError;
  return { low: effect - half, high: effect + half };
}

/** Returns the two-sided p-value of the effect. */
export function pValueOf({ effect, standardError, df }: Contrast): number {
  if (standardError === 0) return effect === 0 ? 1 : 0;
  return tTwoSided(effect / standardError, df);
}

/**
 * The largest number of seeds per config that `seedsNeeded` considers. Differences that need more seeds rarely matter
 * in practice.
 */
export const MAX_SEEDS_NEEDED = 100;

/** The probability that the suggested number of seeds is sufficient, if the true effect equals the measured effect. */
const POWER = 0.8;

/**
 * Returns the smallest number of seeds per config at which the measured effect would be significant with probability
 * POWER. Returns undefined if more than MAX_SEEDS_NEEDED seeds would be needed. The number is the usual approximation
 * of the sample size of a t-test (Chow, Shao and Wang, Sample Size Calculations in Clinical Research, chapter 3). The
 * effect must be at least `a + b` standard errors. Here, `a` is the two-sided quantile of Student's t at `level`, and
 * `b` is the one-sided quantile of Student's t at POWER. The standard error is computed from the measured variances.
 * @param level the confidence level, such as 0.95
 */
export function seedsNeeded(cells: readonly Cell[], level: number): number | undefined {
  const { effect, standardError } = contrastOf(cells);
  if (effect === 0 || standardError === 0) return undefined;
  for (let n = 2; n <= MAX_SEEDS_NEEDED; n++) {
    const expected = expectedError(cells, n);
    const required = tQuantile(0.5 + level / 2, expected.df) + tQuantile(POWER, expected.df);
    if (Math.abs(effect) >= required * expected.standardError) return n;
  }
  return undefined;
}

function expectedError(cells: readonly Cell[], n: number): { standardError: number; df: number } {
  const variances = cells.map((cell) => (contrastOf([cell]).standardError ** 2 * cell.values.length) / n);
  const total = sum(variances);
  const df = (n - 1) / sum(variances, (variance) => (variance / total) ** 2);
  return { standardError: Math.sqrt(total), df };
}

/**
 * Returns one error rate per test, so that the probability of any false positive is at most `alpha`. This is Holm's
 * step-down procedure (Scandinavian Journal of Statistics 6, 1979). The smallest of m p-values is compared with
 * alpha / m, the next with alpha / (m - 1), and so on, until a p-value exceeds its rate. All larger p-values get the
 * rate of this p-value. A confidence interval at the level 1 - rate therefore excludes 0 if and only if the effect is
 * significant under the procedure.
 * @returns the error rates in the order of the p-values
 */
export function holmRates(pValues: readonly number[], alpha: number): number[] {
  const order = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const rates = new Array<number>(pValues.length).fill(alpha);
  let failedAt: number | undefined;
  for (const [place, { p, index }] of order.entries()) {
    const rate = failedAt ?? alpha / (pValues.length - place);
    rates[index] = rate;
    if (p > rate) failedAt = rate;
  }
  return rates;
}

/** Returns the quantile of Student's t with `df` degrees of freedom at the probability `p`, 0 < p < 1. */
export function tQuantile(p: number, df: number): number {
  return jStat.studentt.inv(p, df);
}

/** Returns the two-sided tail probability of Student's t distribution. */
export function tTwoSided(t: number, df: number): number {
  return Math.min(1, 2 * jStat.studentt.cdf(-Math.abs(t), df));
}

/**
 * Returns the upper tail probability of the F distribution. Uses the incomplete beta function, because `1 - cdf` would
 * round probabilities below 1e-16 to 0.
 */
export function fTail(f: number, df1: number, df2: number): number {
  return jStat.ibeta(df2 / (df2 + df1 * f), df2 / 2, df1 / 2);
}

/** Returns the two-sided tail probability of the standard normal distribution. */
export function normalTwoSided(z: number): number {
  return Math.min(1, 2 * jStat.normal.cdf(-Math.abs(z), 0, 1));
}
