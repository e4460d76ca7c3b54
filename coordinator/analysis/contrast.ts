/**
 * A weighted sum of the means of some cells (a config's replicates each), with its uncertainty. Variances may differ from
 * cell to cell. With two cells of weights 1 and -1 it is Welch's t-test (Welch, Biometrika 34, 1947); the degrees of
 * freedom of any number of cells are Satterthwaite's (Biometrics Bulletin 2, 1946).
 */

import { spreadOf } from '../../lib/domain/trial-result.ts';
import { tQuantile, tTwoSided } from './distributions.ts';

export interface Cell {
  readonly weight: number;
  /** At least two, so that their variance is known. */
  readonly values: readonly number[];
}

export interface Contrast {
  readonly effect: number;
  /** 0 when no cell varies. */
  readonly standardError: number;
  /** Degrees of freedom; Infinity when no cell varies. */
  readonly df: number;
  /** Hedges' g: the effect in standard deviations of a cell. Infinite when no cell varies and the effect is not 0. */
  readonly g: number;
}

export function contrastOf(cells: readonly Cell[]): Contrast {
  const spreads = cells.map(({ weight, values }) => ({ weight, ...spreadOf(values) }));
  const effect = spreads.reduce((sum, { weight, mean }) => sum + weight * mean, 0);
  const variances = spreads.map(({ weight, std, n }) => ({ variance: (weight ** 2 * std ** 2) / n, n }));
  const variance = variances.reduce((sum, { variance }) => sum + variance, 0);
  return {
    effect,
    standardError: Math.sqrt(variance),
    df: variance === 0 ? Number.POSITIVE_INFINITY : satterthwaite(variances, variance),
    g: hedgesG(effect, spreads),
  };
}

/** Relative to the sum, so that variances near the smallest double do not vanish when squared. */
function satterthwaite(parts: readonly { variance: number; n: number }[], sum: number): number {
  return 1 / parts.reduce((total, { variance, n }) => total + (variance / sum) ** 2 / (n - 1), 0);
}

/**
 * The effect over the standard deviation pooled over the cells, times Hedges' correction for few values, 1 - 3/(4 df - 1)
 * (Hedges, Journal of Educational Statistics 6, 1981).
 */
function hedgesG(effect: number, spreads: readonly { std: number; n: number }[]): number {
  const df = spreads.reduce((sum, { n }) => sum + n - 1, 0);
  const pooled = Math.sqrt(spreads.reduce((sum, { std, n }) => sum + (n - 1) * std ** 2, 0) / df);
  if (effect === 0) return 0;
  return (effect / pooled) * (1 - 3 / (4 * df - 1));
}

/** The interval that holds the true effect with probability `level`. */
export function intervalOf({ effect, standardError, df }: Contrast, level: number): { low: number; high: number } {
  if (standardError === 0) return { low: effect, high: effect };
  const half = tQuantile(0.5 + level / 2, df) * standardError;
  return { low: effect - half, high: effect + half };
}

/** How likely an effect of this size, on either side, is when there is none. */
export function pValueOf({ effect, standardError, df }: Contrast): number {
  if (standardError === 0) return effect === 0 ? 1 : 0;
  return tTwoSided(effect / standardError, df);
}
