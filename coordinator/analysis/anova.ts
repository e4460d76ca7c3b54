/**
 * Analysis of variance of a balanced factorial grid: the sums of squares of the main effects and of the interactions of
 * two factors are exact and add up with the residual, which holds the interactions of three and more factors and the
 * spread over the seeds (Montgomery, Design and Analysis of Experiments, chapter 5).
 */

import { meanOf } from '../../lib/domain/trial-result.ts';
import type { BalancedGrid, Factor, Observation } from './balanced-grid.ts';
import { fTail } from './distributions.ts';

export interface Term {
  readonly names: readonly string[];
  readonly sumOfSquares: number;
  /** Degrees of freedom. */
  readonly df: number;
  readonly f: number | undefined;
  readonly p: number | undefined;
}

export interface Anova {
  /** Main effects in the order of the factors, then interactions. */
  readonly terms: readonly Term[];
  readonly total: number;
  readonly residual: number;
}

/** A sum of squares below this share of the total is rounding. */
const ROUNDING = 1e-12;

export function anovaOf({ factors, observations }: Pick<BalancedGrid, 'factors' | 'observations'>): Anova {
  const values = observations.map(({ value }) => value);
  const grand = meanOf(values);
  const total = values.reduce((sum, value) => sum + (value - grand) ** 2, 0);
  const settled = (sum: number) => (sum < ROUNDING * total ? 0 : sum);
  const mains = factors.map((factor) => ({
    ...{ names: [factor.name], df: factor.values.length - 1 },
    sumOfSquares: settled(between(observations, [factor], grand)),
  }));
  const pairs = factors.flatMap((a, i) =>
    factors.slice(i + 1).map((b, j) => {
      const own = (mains[i]?.sumOfSquares ?? 0) + (mains[i + 1 + j]?.sumOfSquares ?? 0);
      return {
        ...{ names: [a.name, b.name], df: (a.values.length - 1) * (b.values.length - 1) },
        sumOfSquares: settled(between(observations, [a, b], grand) - own),
      };
    }),
  );
  const parts = [...mains, ...pairs];
  const residual = settled(total - parts.reduce((sum, { sumOfSquares }) => sum + sumOfSquares, 0));
  const df = values.length - 1 - parts.reduce((sum, part) => sum + part.df, 0);
  return { terms: parts.map((part) => ({ ...part, ...tested(part, residual, df) })), total, residual };
}

/** The sum of squares between the groups that the factors' values make, interactions included. */
function between(observations: readonly Observation[], factors: readonly Factor[], grand: number): number {
  const groups = new Map<string, { sum: number; n: number }>();
  for (const { trial, value } of observations) {
    const key = JSON.stringify(factors.map(({ name }) => trial.parameters[name] ?? null));
    const { sum, n } = groups.get(key) ?? { sum: 0, n: 0 };
    // Around the grand mean, so that a large constant in the metric costs no digits.
    groups.set(key, { sum: sum + (value - grand), n: n + 1 });
  }
  return [...groups.values()].reduce((squares, { sum, n }) => squares + sum ** 2 / n, 0);
}

function tested(part: { sumOfSquares: number; df: number }, residual: number, residualDf: number) {
  if (residualDf <= 0 || (residual === 0 && part.sumOfSquares === 0)) return { f: undefined, p: undefined };
  if (residual === 0) return { f: Number.POSITIVE_INFINITY, p: 0 };
  const f = part.sumOfSquares / part.df / (residual / residualDf);
  return { f, p: fTail(f, part.df, residualDf) };
}
