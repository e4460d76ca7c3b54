/**
 * Fits a metric as a function of categorical parameters, by least squares. The results need not form a balanced grid.
 * The fits use the sweep operator (Goodnight, The American Statistician 33, 1979). It skips a column that is a linear
 * combination of earlier columns.
 */
import { mean as meanOf } from 'd3-array';
import { ownValue } from '../../lib/domain/own-value.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Factor, TrialValue } from './balanced-grid.ts';

/** A main effect has one factor, and an interaction has two factors. Each factor is given by its index. */
export type ModelTerm = readonly [number] | readonly [number, number];

export interface ModelFit {
  /** The residual sum of squares. */
  readonly residual: number;
  /** The degrees of freedom of the residual. */
  readonly df: number;
}

export interface AdjustedMean {
  readonly mean: number;
  /** The variance of the mean, as a multiple of the variance of one result. */
  readonly variance: number;
}

const INTERCEPT = 0;

/**
 * A pivot that has shrunk below this share of its original value counts as 0, because only a rounding error is left.
 * The column of the pivot is then a linear combination of earlier columns.
 */
const DEPENDENT_SHARE = 1e-9;

const ESTIMABLE_ERROR = 1e-6;

export class FactorModel {
  readonly #factors: readonly Factor[];
  readonly #levels: readonly ReadonlyMap<ParameterValue, number>[];
  readonly #observations: readonly (readonly number[])[];
  readonly #values: readonly number[];
  readonly #offset: number;

  /** @param observations the observations, each with a value for every factor */
  constructor(factors: readonly Factor[], observations: readonly TrialValue[]) {
    this.#factors = factors;
    this.#levels = factors.map(({ values }) => new Map(values.map((value, level) => [value, level])));
    this.#observations = observations.map(({ trial }) =>
      factors.map(({ name }, f) => this.#levels[f]?.get(ownValue(trial.parameters, name) ?? '') ?? 0),
    );
    // The differences from the mean are used, because they keep the precision of a metric with a large offset.
    this.#offset = meanOf(observations, ({ value }) => value) ?? 0;
    this.#values = observations.map(({ value }) => value - this.#offset);
  }

  /** Returns the number of columns that a term adds to the model. */
  columnsOf(term: ModelTerm): number {
    return term.reduce((product: number, f) => product * this.#contrasts(f), 1);
  }

  /** Whether every pair of values of two factors has a result. */
  isComplete([a, b]: readonly [number, number]): boolean {
    const pairs = new Set(this.#observations.map((levels) => `${levels[a]} ${levels[b]}`));
    return pairs.size === (this.#contrasts(a) + 1) * (this.#contrasts(b) + 1);
  }

  fit(terms: readonly ModelTerm[]): ModelFit {
    const { rank, residual } = sweep(this.#normalEquations(terms));
    return { residual: Math.max(0, residual), df: this.#values.length - rank };
  }

  /**
   * Returns the adjusted mean at each value of a factor: the mean that the main effects predict if all values of every
   * other factor are equally frequent (population marginal means: Searle, Speed and Milliken, The American Statistician
   * 34, 1980). A mean is undefined if the results do not determine it.
   */
  adjustedMeans(factor: number): (AdjustedMean | undefined)[] {
    const equations = this.#normalEquations(this.#factors.map((_, f) => [f]));
    const { inverse, coefficients } = sweep(equations);
    const size = coefficients.length;
    const product = (matrix: readonly Float64Array[], vector: Float64Array) =>
      Float64Array.from({ length: size }, (_, row) => dot(matrix[row], vector, size));
    return (this.#factors[factor]?.values ?? []).map((_, level) => {
      const weights = this.#weights(factor, level, size);
      const spread = product(inverse, weights);
      const projected = product(equations, spread);
      if (projected.some((value, i) => Math.abs(value - (weights[i] ?? 0)) > ESTIMABLE_ERROR)) return undefined;
      return { mean: this.#offset + dot(weights, coefficients, size), variance: dot(weights, spread, size) };
    });
  }

  #contrasts(factor: number): number {
    return (this.#factors[factor]?.values.length ?? 1) - 1;
  }

  #weights(factor: number, level: number, size: number): Float64Array {
    const weights = new Float64Array(size);
    weights[INTERCEPT] = 1;
    let first = INTERCEPT + 1;
    this.#factors.forEach(({ values }, f) => {
      if (f !== factor) weights.fill(1 / values.length, first, first + values.length - 1);
      else if (level > 0) weights[first + level - 1] = 1;
      first += values.length - 1;
    });
    return weights;
  }

  /**
   * Returns the normal equations. The first value of each factor is its reference level, which has no column. The last
   * row and the last column belong to the metric.
   */
  #normalEquations(terms: readonly ModelTerm[]): Float64Array[] {
    const starts: number[] = [];
    let size = INTERCEPT + 1;
    for (const term of terms) {
      starts.push(size);
      size += this.columnsOf(term);
    }
    const matrix = Array.from({ length: size + 1 }, () => new Float64Array(size + 1));
    this.#observations.forEach((levels, o) => {
      const columns = [INTERCEPT];
      terms.forEach(([a, b], t) => {
        const first = (levels[a] ?? 0) - 1;
        const second = b === undefined ? 0 : (levels[b] ?? 0) - 1;
        if (first >= 0 && second >= 0) {
          columns.push((starts[t] ?? 0) + first * (b === undefined ? 1 : this.#contrasts(b)) + second);
        }
      });
      const value = this.#values[o] ?? 0;
      for (const column of columns) {
        const row = matrix[column];
        if (row === undefined) continue;
        for (const other of columns) row[other] = (row[other] ?? 0) + 1;
        row[size] = (row[size] ?? 0) + value;
      }
      const last = matrix[size];
      if (last === undefined) return;
      for (const column of columns) last[column] = (last[column] ?? 0) + value;
      last[size] = (last[size] ?? 0) + value * value;
    });
    return matrix;
  }
}

function dot(a: Float64Array | undefined, b: Float64Array, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (a?.[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** Solves normal equations. Dependent columns get coefficient 0. */
function sweep(equations: readonly Float64Array[]) {
  const rows = equations.map((row) => row.slice());
  const size = rows.length - 1;
  const swept: number[] = [];
  for (let k = 0; k < size; k++) {
    const pivotRow = rows[k];
    const pivot = pivotRow?.[k] ?? 0;
    if (pivotRow === undefined || pivot <= DEPENDENT_SHARE * (equations[k]?.[k] ?? 0)) continue;
    swept.push(k);
    for (let i = 0; i <= size; i++) pivotRow[i] = (pivotRow[i] ?? 0) / pivot;
    rows.forEach((row, r) => {
      const factor = row[k] ?? 0;
      if (r === k || factor === 0) return;
      for (let i = 0; i <= size; i++) row[i] = (row[i] ?? 0) - factor * (pivotRow[i] ?? 0);
      row[k] = -factor / pivot;
    });
    pivotRow[k] = 1 / pivot;
  }
  const inverse = Array.from({ length: size }, () => new Float64Array(size));
  const coefficients = new Float64Array(size);
  const isSwept = new Set(swept);
  for (const r of swept) {
    coefficients[r] = rows[r]?.[size] ?? 0;
    inverse[r]?.set(Float64Array.from({ length: size }, (_, c) => (isSwept.has(c) ? (rows[r]?.[c] ?? 0) : 0)));
  }
  return { rank: swept.length, residual: rows[size]?.[size] ?? 0, inverse, coefficients };
}
