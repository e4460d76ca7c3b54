/** Measures the influence of each parameter on a metric by an analysis of variance. */

import { group, sum } from 'd3-array';
import { ownValue } from '../../lib/domain/own-value.ts';
import { comparedTrials, leftOutText, meanOf, resultOf, spreadOf } from '../../lib/domain/trial-result.ts';
import type { Spread } from '../../proto/gen/trawl/v1/types.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import { type BalancedGrid, balancedGrid, type Factor, type TrialValue } from './balanced-grid.ts';
import type { JudgedTrial } from './judgment.ts';
import { fTail } from './statistics.ts';

export interface ParameterEffect {
  readonly parameter: string;
  /** The effect's share of the total sum of squares, from 0 to 1. */
  readonly share: number;
  /**
   * The F statistic of the effect; `p` is its p-value. Both are undefined if the model leaves no residual to test
   * against, for example with two parameters and one seed per config.
   */
  readonly f: number | undefined;
  readonly p: number | undefined;
  /** For each value of the parameter: the mean and the standard deviation of all analyzed results with this value. */
  readonly levels: readonly { readonly value: ParameterValue; readonly spread: Spread }[];
}

export interface Importance {
  readonly metric: string;
  readonly balanced: boolean;
  /**
   * Notes on the analysis: which results were left out because of early stopping, which trials were left out to balance
   * the grid, and which parameters change together. If the analysis has no effects, the notes state why.
   */
  readonly why: string;
  readonly effects: readonly ParameterEffect[];
  readonly interactions: readonly {
    readonly parameters: readonly [string, string];
    readonly share: number;
    readonly p: number | undefined;
  }[];
  /**
   * The share of the variation that neither effects nor interactions explain, including the variation between
   * replicates.
   */
  readonly residual: number;
}

/**
 * Analyzes the variance of a metric over the trials that have a result. `exclude`, `when` and failures can leave the
 * grid unbalanced. A large balanced part is then analyzed, and `why` names the skipped trials. If no part is balanced,
 * the result has no effects. The effects and interactions are in descending order of their shares.
 * @param axes see `balancedGrid`
 */
export function importanceOf(trials: readonly JudgedTrial[], metric: string, axes: readonly string[]): Importance {
  const { observations: all, leftOut } = observationsOf(trials, metric);
  const without = (reason: string) => noEffects(metric, notes([reason, leftOut]));
  if (all.length === 0) return without(leftOut === '' ? 'no trial has a result yet' : 'no config has complete results');
  const grid = balancedGrid(all, axes, otherParameters(all, axes));
  if (typeof grid === 'string') return without(grid);
  const { terms, total, residual } = anovaOf(grid);
  if (total === 0) return without(`${metric} is equal in all trials`);
  const share = (sumOfSquares: number) => sumOfSquares / total;
  const effects = grid.factors.map(({ name, values }) => {
    const term = terms.find(({ names }) => names.length === 1 && names[0] === name);
    const levels = values.map((value) => ({ value, spread: spreadAt(grid.observations, name, value) }));
    return { parameter: name, share: share(term?.sumOfSquares ?? 0), f: term?.f, p: term?.p, levels };
  });
  const interactions = terms.flatMap(({ names: [a, b], sumOfSquares, p }) =>
    a === undefined || b === undefined ? [] : [{ parameters: [a, b] as const, share: share(sumOfSquares), p }],
  );
  return {
    metric,
    balanced: grid.skipped.length === 0,
    why: notes([leftOut, ...grid.skipped, ...grid.dependencies]),
    effects: effects.sort((a, b) => b.share - a.share),
    interactions: interactions.sort((a, b) => b.share - a.share),
    residual: share(residual),
  };
}

/**
 * Returns the trials that have a result, with their values. `leftOut` is a text about the results that are left out
 * because of early stopping (trial-result.ts). It is empty if no result is left out.
 */
export function observationsOf(
  trials: readonly JudgedTrial[],
  metric: string,
): { observations: TrialValue[]; leftOut: string } {
  const { compared, leftOut } = comparedTrials(trials);
  const observations = compared.flatMap((trial) => {
    const value = resultOf(trial, metric);
    return value === undefined ? [] : [{ trial, value }];
  });
  return { observations, leftOut: leftOutText(leftOut) };
}

/** Joins notes. Empty notes are omitted. */
export const notes = (texts: readonly string[]): string => texts.filter((text) => text !== '').join('; ');

/** Returns the parameters that are not axes. */
export function otherParameters(all: readonly TrialValue[], axes: readonly string[]): string[] {
  const names = new Set(all.flatMap(({ trial }) => Object.keys(trial.parameters)));
  return [...names].filter((name) => !axes.includes(name));
}

function noEffects(metric: string, why: string): Importance {
  return { metric, balanced: false, why, effects: [], interactions: [], residual: 0 };
}

function spreadAt(observations: readonly TrialValue[], name: string, value: ParameterValue): Spread {
  return spreadOf(observations.flatMap((one) => (ownValue(one.trial.parameters, name) === value ? one.value : [])));
}

interface Term {
  readonly names: readonly string[];
  readonly sumOfSquares: number;
  /** The degrees of freedom of the effect. */
  readonly df: number;
  readonly f: number | undefined;
  readonly p: number | undefined;
}

interface Anova {
  /** The main effects in the order of the factors, then the interactions. */
  readonly terms: readonly Term[];
  readonly total: number;
  readonly residual: number;
}

const ROUNDING_SHARE = 1e-12;

/**
 * Returns the analysis of variance of a balanced grid. The residual contains the interactions of more than two factors
 * and the variation between seeds (Montgomery, Design and Analysis of Experiments, chapter 5).
 */
function anovaOf({ factors, observations }: Pick<BalancedGrid, 'factors' | 'observations'>): Anova {
  const values = observations.map(({ value }) => value);
  const grandMean = meanOf(values);
  const total = sum(values, (value) => (value - grandMean) ** 2);
  const withoutRounding = (squares: number) => (squares < ROUNDING_SHARE * total ? 0 : squares);
  const mains = factors.map((factor) => ({
    names: [factor.name],
    df: factor.values.length - 1,
    sumOfSquares: withoutRounding(between(observations, [factor], grandMean)),
  }));
  const pairs = factors.flatMap((a, i) =>
    factors.slice(i + 1).map((b, j) => {
      const own = (mains[i]?.sumOfSquares ?? 0) + (mains[i + 1 + j]?.sumOfSquares ?? 0);
      return {
        names: [a.name, b.name],
        df: (a.values.length - 1) * (b.values.length - 1),
        sumOfSquares: withoutRounding(between(observations, [a, b], grandMean) - own),
      };
    }),
  );
  const parts = [...mains, ...pairs];
  const residual = withoutRounding(total - sum(parts, ({ sumOfSquares }) => sumOfSquares));
  const df = values.length - 1 - sum(parts, (part) => part.df);
  return { terms: parts.map((part) => ({ ...part, ...fTestOf(part, residual, df) })), total, residual };
}

function between(observations: readonly TrialValue[], factors: readonly Factor[], grandMean: number): number {
  const groups = group(observations, ({ trial }) =>
    JSON.stringify(factors.map(({ name }) => ownValue(trial.parameters, name) ?? null)),
  );
  // The differences from the grand mean are used, because they keep the precision of a metric with a large offset.
  return sum(groups.values(), (cell) => sum(cell, ({ value }) => value - grandMean) ** 2 / cell.length);
}

/**
 * Returns the F statistic and its p-value. Both are undefined if the residual has no degrees of freedom, or if the
 * effect and the residual are both 0.
 */
export function fTestOf(part: { sumOfSquares: number; df: number }, residual: number, residualDf: number) {
  if (residualDf <= 0 || (residual === 0 && part.sumOfSquares === 0)) return { f: undefined, p: undefined };
  if (residual === 0) return { f: Number.POSITIVE_INFINITY, p: 0 };
  const f = part.sumOfSquares / part.df / (residual / residualDf);
  return { f, p: fTail(f, part.df, residualDf) };
}
