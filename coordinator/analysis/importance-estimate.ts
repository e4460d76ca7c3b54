/**
 * Estimates the influence of each parameter on a metric. Also estimates the mean of the metric at each value of the
 * parameter, with a confidence interval. The grid can be incomplete.
 */

import { extent, sum } from 'd3-array';
import { ownValue } from '../../lib/domain/own-value.ts';
import { meanOf } from '../../lib/domain/trial-result.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import { type Factor, independentFactors, type TrialValue } from './balanced-grid.ts';
import { ERROR_RATE } from './comparison.ts';
import { type AdjustedMean, FactorModel, type ModelFit, type ModelTerm } from './factor-model.ts';
import { fTestOf, type Importance, importanceOf, notes, observationsOf, otherParameters } from './importance.ts';
import type { JudgedTrial } from './judgment.ts';
import { tQuantile } from './statistics.ts';

interface EstimatedLevel {
  readonly value: ParameterValue;
  /**
   * The adjusted mean (factor-model.ts). If the model does not determine the adjusted mean, this is the mean of the
   * results at this value.
   */
  readonly mean: number;
  /**
   * The confidence interval of the mean at the level `1 - ERROR_RATE`. Undefined if it cannot be computed from the
   * results.
   */
  readonly interval: { readonly low: number; readonly high: number } | undefined;
  /** The number of results at this value. */
  readonly n: number;
  readonly lowest: number;
  readonly highest: number;
}

interface EstimatedEffect {
  readonly parameter: string;
  /**
   * The effect's share of the total sum of squares of the complete grid, from 0 to 1. The share is an estimate if
   * `estimated` is true.
   */
  readonly share: number;
  /** The p-value of the effect; undefined if the model has no residual for a test. */
  readonly p: number | undefined;
  /** Whether `p` is below ERROR_RATE. Undefined if `p` is undefined. */
  readonly significant: boolean | undefined;
  readonly levels: readonly EstimatedLevel[];
}

export interface ImportanceEstimate extends Pick<Importance, 'metric' | 'why'> {
  /** Whether the shares are estimates, because the finished trials are not a complete grid. */
  readonly estimated: boolean;
  /** The effects in descending order of their shares. */
  readonly effects: readonly EstimatedEffect[];
  readonly interactions: readonly { readonly parameters: readonly [string, string]; readonly share: number }[];
}

/** The maximum number of columns of a model. The time that a fit takes grows with the cube of this number. */
const MAX_MODEL_COLUMNS = 150;

/**
 * Analyzes the variance of a metric over the trials that have a result. A complete grid gives exact shares. For an
 * incomplete grid, the shares are estimates for the complete grid, and each parameter's share is computed from its
 * adjusted means. The test of a parameter uses the variation that only this parameter explains (Type II sums of
 * squares: Langsrud, Statistics and Computing 13, 2003). The model contains the interaction of two parameters if every
 * pair of their values has a result. If the model with interactions has no residual for a test, for example because
 * there are no replicates, the model without interactions is used. Its residual contains the interactions (Montgomery,
 * Design and Analysis of Experiments, chapter 5).
 * @param axes see `importanceOf`
 */
export function estimateImportance(
  trials: readonly JudgedTrial[],
  metric: string,
  axes: readonly string[],
): ImportanceEstimate {
  const { observations: all, leftOut } = observationsOf(trials, metric);
  const exact = importanceOf(trials, metric, axes);
  const independent = independentFactors(all, axes, otherParameters(all, axes));
  if (all.length === 0 || typeof independent === 'string') return withoutEffects(exact);
  const conditional = independent.factors.filter((factor) => !isSetInAll(factor, all));
  const factors = independent.factors.filter((factor) => !conditional.includes(factor));
  const unset = conditional.map(({ name }) => `${name} is not set in every trial`);
  const why = notes([leftOut, ...independent.dependencies, ...unset]);
  const model = new FactorModel(factors, all);
  const mains = factors.map((_, f): ModelTerm => [f]);
  if (factors.length === 0) return { ...withoutEffects(exact), why };
  if (columnsOf(model, mains) > MAX_MODEL_COLUMNS) return withoutIntervals(exact, all);
  const total = model.fit([]).residual;
  if (!Number.isFinite(total)) {
    return { ...withoutEffects(exact), why: `the values of ${metric} are too large for an analysis of variance` };
  }
  if (total === 0) return { ...withoutEffects(exact), why: `${metric} is equal in all trials` };
  const additive = model.fit(mains);
  const crossed = crossedFit(model, mains);
  const error = crossed?.fit ?? additive;
  const tested = factors.map(({ name, values }, f) => {
    const without = model.fit(mains.filter((_, other) => other !== f));
    const part = { sumOfSquares: explained(without, additive, total), df: without.df - additive.df };
    const p = part.df === 0 ? undefined : fTestOf(part, error.residual, error.df).p;
    const means = model.adjustedMeans(f);
    return { parameter: name, p, levels: values.map((value, level) => levelOf(all, name, value, means[level], error)) };
  });
  const interactions = crossed?.interactions(factors) ?? [];
  const variances = tested.map(({ levels }) => populationVariance(levels.map(({ mean }) => mean)));
  const unexplained = error.df === 0 ? 0 : error.residual / error.df;
  const variance = sum(variances) + sum(interactions, (pair) => pair.sumOfSquares) / all.length + unexplained;
  const effects = tested.map(({ parameter, p, levels }, f): EstimatedEffect => {
    const known = exact.balanced ? exact.effects.find((effect) => effect.parameter === parameter) : undefined;
    const tail = known?.p ?? p;
    const share = known?.share ?? (variances[f] ?? 0) / variance;
    return { parameter, share, p: tail, significant: isSignificant(tail), levels };
  });
  return {
    metric,
    estimated: !exact.balanced,
    why,
    effects: effects.sort((a, b) => b.share - a.share),
    interactions: exact.balanced
      ? exact.interactions
      : interactions.map(({ parameters, sumOfSquares }) => {
          return { parameters, share: sumOfSquares / all.length / variance };
        }),
  };
}

const populationVariance = (values: readonly number[]): number => {
  const mean = meanOf(values);
  return meanOf(values.map((value) => (value - mean) ** 2));
};

const withoutEffects = ({ metric, why }: Importance): ImportanceEstimate => {
  return { metric, why, estimated: false, effects: [], interactions: [] };
};

/**
 * Returns shares that are computed from the balanced part of the results. The mean at each value uses all results, and
 * has no confidence interval. This function is used if the model would have too many columns.
 */
function withoutIntervals(exact: Importance, all: readonly TrialValue[]): ImportanceEstimate {
  const { metric, balanced, why, interactions } = exact;
  const effects = exact.effects.map(({ parameter, share, p, levels }) => ({
    ...{ parameter, share, p, significant: isSignificant(p) },
    levels: levels.map(({ value }) => levelOf(all, parameter, value, undefined, undefined)),
  }));
  return { metric, why, interactions, estimated: !balanced, effects };
}

const isSetInAll = ({ name }: Factor, all: readonly TrialValue[]): boolean =>
  all.every(({ trial }) => ownValue(trial.parameters, name) !== undefined);

const isSignificant = (p: number | undefined): boolean | undefined => (p === undefined ? undefined : p < ERROR_RATE);

const columnsOf = (model: FactorModel, terms: readonly ModelTerm[]): number =>
  sum(terms, (term) => model.columnsOf(term));

/**
 * Returns the fit of the model with interactions. Returns undefined if no two parameters have a result at every pair of
 * their values, if the model would have too many columns, or if it would have no residual.
 */
function crossedFit(model: FactorModel, mains: readonly ModelTerm[]) {
  const pairs = mains.flatMap(([a]) =>
    mains.slice(a + 1).flatMap(([b]): (readonly [number, number])[] => (model.isComplete([a, b]) ? [[a, b]] : [])),
  );
  if (pairs.length === 0 || columnsOf(model, [...mains, ...pairs]) > MAX_MODEL_COLUMNS) return undefined;
  const fit = model.fit([...mains, ...pairs]);
  if (fit.df === 0) return undefined;
  const total = model.fit([]).residual;
  const interactions = (factors: readonly Factor[]) =>
    pairs
      .map((pair) => {
        const without = model.fit([...mains, ...pairs.filter((other) => other !== pair)]);
        const parameters = [factors[pair[0]]?.name ?? '', factors[pair[1]]?.name ?? ''] as const;
        return { parameters, sumOfSquares: explained(without, fit, total) };
      })
      .sort((a, b) => b.sumOfSquares - a.sumOfSquares);
  return { fit, interactions };
}

const ROUNDING_SHARE = 1e-12;

function explained(without: ModelFit, whole: ModelFit, total: number): number {
  const difference = without.residual - whole.residual;
  return difference < ROUNDING_SHARE * total ? 0 : difference;
}

function levelOf(
  all: readonly TrialValue[],
  name: string,
  value: ParameterValue,
  adjusted: AdjustedMean | undefined,
  error: ModelFit | undefined,
): EstimatedLevel {
  const results = all.flatMap((one) => (ownValue(one.trial.parameters, name) === value ? one.value : []));
  const [lowest = Number.NaN, highest = Number.NaN] = extent(results);
  const level = { value, n: results.length, lowest, highest };
  if (adjusted === undefined || error === undefined) return { ...level, mean: meanOf(results), interval: undefined };
  const { mean, variance } = adjusted;
  if (error.df === 0) return { ...level, mean, interval: undefined };
  const half = tQuantile(1 - ERROR_RATE / 2, error.df) * Math.sqrt((variance * error.residual) / error.df);
  return { ...level, mean, interval: { low: mean - half, high: mean + half } };
}
