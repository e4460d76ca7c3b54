/**
 * Converts the distributions of a sweep's parameters to distributions of Optuna, and the values that Optuna chooses to
 * values of the parameters. Optuna receives only numbers: a category is represented by its index, and the value n * q
 * by n. Optuna has no normal, log-normal or beta distributions, and no categories with probabilities. For such a
 * parameter, Optuna chooses a share, which is a number from 0 to 1. The value of the parameter is the quantile of its
 * distribution at this share.
 */
import type { Parameters, ParameterValue } from '../../../proto/trainers.ts';
import type { WhenRule } from '../../grid/points.ts';
import type { Distribution } from '../distribution.ts';
import { roundedValue, valueAt } from '../quantile.ts';
import { cellOf } from '../tpe/coordinates.ts';

/** The distribution of one parameter in Optuna. The limits are included. */
type OptunaDistribution =
  | { readonly kind: 'float'; readonly low: number; readonly high: number; readonly log: boolean }
  | { readonly kind: 'int'; readonly low: number; readonly high: number; readonly log: boolean }
  /** Optuna chooses an index. */
  | { readonly kind: 'categorical'; readonly choices: number };

/** The values that Optuna has chosen for the parameters that have an effect, by name. */
export type OptunaValues = Readonly<Record<string, number>>;

interface Dimension {
  readonly name: string;
  readonly optuna: OptunaDistribution;
  /** Converts a value of Optuna to a value of the parameter. */
  readonly parameterOf: (chosen: number) => ParameterValue;
  /** Returns the lowest and the highest of the values of Optuna that `parameterOf` converts to the given value. */
  readonly cellOf: (value: ParameterValue) => readonly [number, number] | undefined;
}

/** A rule of `when` in terms of Optuna's values. */
interface ActivityRule {
  /**
   * A condition is fulfilled if the value of its parameter is within one of its intervals. All conditions must be
   * fulfilled.
   */
  readonly conditions: readonly {
    readonly name: string;
    readonly anyOf: readonly (readonly [number, number])[];
  }[];
  /** The parameters that have no effect if the conditions are fulfilled. */
  readonly set: readonly string[];
}

/** The search space of a sweep, as it is sent to the sampler process. */
export interface OptunaSpace {
  readonly parameters: readonly ({ readonly name: string } & OptunaDistribution)[];
  readonly rules: readonly ActivityRule[];
}

/** Shares are clamped to these limits. At 0 and 1, the value of an unbounded distribution would be infinite. */
const MIN_SHARE = 1e-9;
const MAX_SHARE = 1 - 1e-9;

export class OptunaDimensions {
  readonly space: OptunaSpace;
  readonly #distributions: ReadonlyMap<string, Distribution>;
  readonly #dimensions: ReadonlyMap<string, Dimension>;

  constructor(distributions: ReadonlyMap<string, Distribution>, when: readonly WhenRule[]) {
    this.#distributions = distributions;
    const dimensions = [...distributions].flatMap(([name, distribution]) => dimensionOf(name, distribution) ?? []);
    this.#dimensions = new Map(dimensions.map((dimension) => [dimension.name, dimension]));
    const conditional = new Set(when.flatMap(({ conditions }) => conditions.map(({ name }) => name)));
    // The process chooses the parameters in this order. Whether a parameter has an effect can depend on the parameters
    // in conditions, so these parameters come first.
    const ordered = [
      ...dimensions.filter(({ name }) => conditional.has(name)),
      ...dimensions.filter(({ name }) => !conditional.has(name)),
    ];
    this.space = {
      parameters: ordered.map(({ name, optuna }) => ({ name, ...optuna })),
      rules: when.flatMap((rule) => this.#ruleOf(rule, conditional)),
    };
  }

  /** Returns the point for the values of Optuna. A parameter that Optuna omits gets the median of its distribution. */
  pointOf(values: OptunaValues): Record<string, ParameterValue> {
    // The object has no prototype, because a parameter can be named `__proto__`.
    const point: Record<string, ParameterValue> = Object.create(null);
    for (const [name, distribution] of this.#distributions) {
      const dimension = this.#dimensions.get(name);
      const chosen = Object.hasOwn(values, name) ? values[name] : undefined;
      point[name] =
        dimension !== undefined && chosen !== undefined ? dimension.parameterOf(chosen) : valueAt(distribution, 0.5);
    }
    return point;
  }

  /** Converts a point to the values of Optuna. Omits the parameters that have no effect at the point. */
  valuesOf(point: Parameters): Record<string, number> {
    const values: Record<string, number> = Object.create(null);
    for (const { name, cellOf: cell } of this.#dimensions.values()) {
      const value = point[name];
      const ends = value === undefined ? undefined : cell(value);
      if (ends !== undefined) values[name] = (ends[0] + ends[1]) / 2;
    }
    for (const { conditions, set } of this.space.rules) {
      const applies = conditions.every(({ name, anyOf }) => {
        const value = values[name];
        return value !== undefined && anyOf.some(([low, high]) => value >= low && value <= high);
      });
      if (applies) for (const name of set) delete values[name];
    }
    return values;
  }

  /** Returns a rule, or nothing if the rule can never apply or sets no parameter that varies. */
  #ruleOf({ conditions, set }: WhenRule, conditional: ReadonlySet<string>): ActivityRule[] {
    // The value of a parameter in a condition always has an effect: it decides whether a rule applies.
    const names = Object.keys(set).filter((name) => this.#dimensions.has(name) && !conditional.has(name));
    const varying = conditions.filter(({ name }) => this.#dimensions.has(name));
    const fixed = conditions.filter(({ name }) => !this.#dimensions.has(name));
    const isPossible = fixed.every(({ name, anyOf }) => {
      const distribution = this.#distributions.get(name);
      return distribution !== undefined && anyOf.includes(valueAt(distribution, 0.5));
    });
    if (names.length === 0 || !isPossible) return [];
    const mapped = varying.map(({ name, anyOf }) => ({
      name,
      anyOf: anyOf.flatMap((value) => {
        const cell = this.#dimensions.get(name)?.cellOf(value);
        return cell === undefined ? [] : [cell];
      }),
    }));
    return [{ conditions: mapped, set: names }];
  }
}

/** Returns undefined for a parameter with a single value. */
function dimensionOf(name: string, distribution: Distribution): Dimension | undefined {
  switch (distribution.kind) {
    case 'constant':
      return undefined;
    case 'categorical':
      return categorical(name, distribution);
    case 'int_uniform': {
      const { min, max } = distribution;
      return min === max
        ? undefined
        : numeric(name, { kind: 'int', low: min, high: max, log: false }, (value) => value);
    }
    case 'uniform':
    case 'log_uniform': {
      const { min, max, q } = distribution;
      const log = distribution.kind === 'log_uniform';
      if (min === max) return undefined;
      if (q === undefined) {
        const limited = (value: number) => Math.min(max, Math.max(min, roundedValue(value)));
        return numeric(name, { kind: 'float', low: min, high: max, log }, limited);
      }
      const low = Math.ceil(roundedValue(min / q));
      const high = Math.floor(roundedValue(max / q));
      if (low > high || (log && low < 1)) return shares(name, distribution);
      return low === high
        ? undefined
        : numeric(
            name,
            { kind: 'int', low, high, log },
            (multiple) => roundedValue(multiple * q),
            (value) => Math.min(high, Math.max(low, Math.round(value / q))),
          );
    }
    case 'normal':
    case 'log_normal':
      return distribution.sigma === 0 ? undefined : shares(name, distribution);
    case 'beta':
      return shares(name, distribution);
  }
}

function numeric(
  name: string,
  optuna: Exclude<OptunaDistribution, { kind: 'categorical' }>,
  toParameter: (chosen: number) => number,
  chosenOf: (value: number) => number = (value) => Math.min(optuna.high, Math.max(optuna.low, value)),
): Dimension {
  return {
    name,
    optuna,
    parameterOf: toParameter,
    cellOf(value) {
      if (typeof value !== 'number') return undefined;
      const chosen = chosenOf(value);
      return [chosen, chosen];
    },
  };
}

/** Lets Optuna choose a share from 0 to 1. The value of the parameter is the quantile at this share. */
function shares(name: string, distribution: Exclude<Distribution, { kind: 'constant' | 'categorical' }>): Dimension {
  return {
    name,
    optuna: { kind: 'float', low: 0, high: 1, log: false },
    parameterOf: (share) => valueAt(distribution, Math.min(MAX_SHARE, Math.max(MIN_SHARE, share))),
    cellOf(value) {
      if (typeof value !== 'number') return undefined;
      const { low, high } = cellOf(distribution, value);
      return [low, high];
    },
  };
}

function categorical(name: string, distribution: Distribution & { kind: 'categorical' }): Dimension | undefined {
  const { values, probabilities } = distribution;
  if (probabilities === undefined) {
    if (values.length < 2) return undefined;
    return {
      name,
      optuna: { kind: 'categorical', choices: values.length },
      parameterOf: (index) => values[index] ?? valueAt(distribution, 0.5),
      cellOf(value) {
        const index = values.indexOf(value);
        return index < 0 ? undefined : [index, index];
      },
    };
  }
  if (probabilities.filter((probability) => probability > 0).length < 2) return undefined;
  return {
    name,
    optuna: { kind: 'float', low: 0, high: 1, log: false },
    parameterOf: (share) => valueAt(distribution, Math.min(MAX_SHARE, Math.max(MIN_SHARE, share))),
    cellOf(value) {
      const index = values.indexOf(value);
      if (index < 0) return undefined;
      const below = probabilities.slice(0, index).reduce((sum, probability) => sum + probability, 0);
      return [below, Math.min(1, below + (probabilities[index] ?? 0))];
    },
  };
}
