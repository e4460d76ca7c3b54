/** How many seeds would tell. */
import { type Cell, contrastOf } from './contrast.ts';
import { tQuantile } from './distributions.ts';

/** The most seeds of a config that are thought of: a difference that needs more hardly matters in practice. */
export const MAX_SEEDS_NEEDED = 100;

/** How likely the seeds should be enough, if the effect is what it seems to be. */
export const POWER = 0.8;

/**
 * The smallest number of seeds of each config at which the effect, were it and the cells' variances as measured, would
 * stand out at that level with probability POWER: effect >= (t[level] + t[POWER]) x standard error, the usual
 * approximation of a t-test's sample size (Chow, Shao and Wang, Sample Size Calculations in Clinical Research, chapter 3).
 * @returns undefined beyond MAX_SEEDS_NEEDED
 */
export function seedsNeeded(cells: readonly Cell[], level: number): number | undefined {
  const { effect, standardError } = contrastOf(cells);
  if (effect === 0 || standardError === 0) return undefined;
  for (let n = 2; n <= MAX_SEEDS_NEEDED; n++) {
    const { error, df } = expected(cells, n);
    if (Math.abs(effect) >= (tQuantile(0.5 + level / 2, df) + tQuantile(POWER, df)) * error) return n;
  }
  return undefined;
}

/** The standard error, and its degrees of freedom, with n values in each cell. */
function expected(cells: readonly Cell[], n: number): { error: number; df: number } {
  const now = cells.map((cell) => ({ ...contrastOf([cell]), size: cell.values.length }));
  const variances = now.map(({ standardError, size }) => (standardError ** 2 * size) / n);
  const sum = variances.reduce((total, variance) => total + variance, 0);
  const df = (n - 1) / variances.reduce((total, variance) => total + (variance / sum) ** 2, 0);
  return { error: Math.sqrt(sum), df };
}
