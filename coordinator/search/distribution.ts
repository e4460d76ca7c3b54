/** Defines the distributions of parameters, with the names and meanings of Weights & Biases. */
import { quote } from '../../lib/text/quote.ts';
import type { ParameterValue } from '../../proto/trainers.ts';

/** A valid distribution of a parameter. With `q`, the drawn values are rounded to multiples of q. */
export type Distribution =
  | { readonly kind: 'constant'; readonly value: ParameterValue }
  /** `probabilities` must sum to 1; if undefined, all values have the same probability. */
  | {
      readonly kind: 'categorical';
      readonly values: readonly ParameterValue[];
      readonly probabilities: readonly number[] | undefined;
    }
  /** The range includes both ends. */
  | { readonly kind: 'int_uniform'; readonly min: number; readonly max: number }
  | { readonly kind: 'uniform'; readonly min: number; readonly max: number; readonly q: number | undefined }
  /**
   * `min` and `max` are the limits of the values, and are greater than 0. This kind also represents `inv_log_uniform`,
   * because the reciprocal of a log-uniform value is log-uniform too.
   */
  | { readonly kind: 'log_uniform'; readonly min: number; readonly max: number; readonly q: number | undefined }
  | { readonly kind: 'normal'; readonly mu: number; readonly sigma: number; readonly q: number | undefined }
  /** The value is exp(x). The distribution of x is normal with mean `mu` and standard deviation `sigma`. */
  | { readonly kind: 'log_normal'; readonly mu: number; readonly sigma: number; readonly q: number | undefined }
  | { readonly kind: 'beta'; readonly a: number; readonly b: number; readonly q: number | undefined };

/** The keys of a parameter in a sweep file that define its distribution. */
export interface DistributionEntry {
  readonly distribution?: DistributionName | undefined;
  readonly value?: ParameterValue | undefined;
  readonly values?: readonly ParameterValue[] | undefined;
  readonly probabilities?: readonly number[] | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly q?: number | undefined;
  readonly mu?: number | undefined;
  readonly sigma?: number | undefined;
  readonly a?: number | undefined;
  readonly b?: number | undefined;
}

type Key = Exclude<keyof DistributionEntry, 'distribution'>;

interface Shape {
  readonly required: readonly Key[];
  readonly optional: readonly Key[];
  readonly make: (entry: DistributionEntry) => Distribution | string;
}

const range = ({ min = 0, max = 0 }: DistributionEntry) => ({ min, max });
const rangeProblem = ({ min = 0, max = 0 }: DistributionEntry) =>
  min <= max ? undefined : `max (${max}) must be at least min (${min})`;
const quantumProblem = ({ q }: DistributionEntry) =>
  q === undefined || q > 0 ? undefined : `q (${q}) must be above 0`;

function uniform(entry: DistributionEntry, q: number | undefined): Distribution | string {
  return rangeProblem(entry) ?? quantumProblem(entry) ?? { kind: 'uniform', ...range(entry), q };
}

/**
 * Returns a log-uniform distribution.
 * @param ends the meaning of min and max: the limits of the values, the natural logarithms of these limits, or the
 * natural logarithms of their reciprocals (`inv_log_uniform`)
 */
function logUniform(
  entry: DistributionEntry,
  ends: 'values' | 'logs' | 'inverse logs',
  q?: number,
): Distribution | string {
  const invalid = rangeProblem(entry) ?? quantumProblem(entry);
  if (invalid !== undefined) return invalid;
  const { min, max } = range(entry);
  if (ends === 'values') return min > 0 ? { kind: 'log_uniform', min, max, q } : `min (${min}) must be above 0`;
  const [low, high] = ends === 'logs' ? [min, max] : [-max, -min];
  if (Number.isFinite(Math.exp(high))) return { kind: 'log_uniform', min: Math.exp(low), max: Math.exp(high), q };
  const remedy = 'write log_uniform_values to give the limits themselves';
  return `min and max are exponents of e, and e^${high} is too large; ${remedy}`;
}

function normal(kind: 'normal' | 'log_normal', entry: DistributionEntry, q: number | undefined): Distribution | string {
  const { mu = 0, sigma = 1 } = entry;
  if (sigma < 0) return `sigma (${sigma}) must not be below 0`;
  return quantumProblem(entry) ?? { kind, mu, sigma, q };
}

function beta(entry: DistributionEntry, q: number | undefined): Distribution | string {
  const { a = 1, b = 1 } = entry;
  if (a <= 0 || b <= 0) return `a (${a}) and b (${b}) must be above 0`;
  return quantumProblem(entry) ?? { kind: 'beta', a, b, q };
}

function categorical({ values = [], probabilities }: DistributionEntry): Distribution | string {
  if (probabilities === undefined) return { kind: 'categorical', values, probabilities };
  if (probabilities.length !== values.length) {
    return `${values.length} values need as many probabilities; got ${probabilities.length}`;
  }
  const sum = probabilities.reduce((total, probability) => total + probability, 0);
  if (probabilities.some((probability) => probability < 0) || !(sum > 0)) {
    return 'probabilities must not be below 0, and at least one must be above 0';
  }
  return { kind: 'categorical', values, probabilities: probabilities.map((probability) => probability / sum) };
}

function intUniform(entry: DistributionEntry): Distribution | string {
  const { min, max } = range(entry);
  if (!Number.isInteger(min) || !Number.isInteger(max)) return `min (${min}) and max (${max}) must be whole numbers`;
  return rangeProblem(entry) ?? { kind: 'int_uniform', min, max };
}

const ENDS = ['min', 'max'] as const;
const MOMENTS = ['mu', 'sigma'] as const;

const SHAPES = {
  constant: { required: ['value'], optional: [], make: ({ value = '' }) => ({ kind: 'constant', value }) },
  categorical: { required: ['values'], optional: [], make: categorical },
  categorical_w_probabilities: { required: ['values', 'probabilities'], optional: [], make: categorical },
  int_uniform: { required: ENDS, optional: [], make: intUniform },
  uniform: { required: ENDS, optional: [], make: (entry) => uniform(entry, undefined) },
  q_uniform: { required: ENDS, optional: ['q'], make: (entry) => uniform(entry, entry.q ?? 1) },
  log_uniform: { required: ENDS, optional: [], make: (entry) => logUniform(entry, 'logs') },
  log_uniform_values: { required: ENDS, optional: [], make: (entry) => logUniform(entry, 'values') },
  q_log_uniform: { required: ENDS, optional: ['q'], make: (entry) => logUniform(entry, 'logs', entry.q ?? 1) },
  q_log_uniform_values: {
    required: ENDS,
    optional: ['q'],
    make: (entry) => logUniform(entry, 'values', entry.q ?? 1),
  },
  inv_log_uniform: { required: ENDS, optional: [], make: (entry) => logUniform(entry, 'inverse logs') },
  inv_log_uniform_values: { required: ENDS, optional: [], make: (entry) => logUniform(entry, 'values') },
  normal: { required: [], optional: MOMENTS, make: (entry) => normal('normal', entry, undefined) },
  q_normal: { required: [], optional: [...MOMENTS, 'q'], make: (entry) => normal('normal', entry, entry.q ?? 1) },
  log_normal: { required: [], optional: MOMENTS, make: (entry) => normal('log_normal', entry, undefined) },
  q_log_normal: {
    required: [],
    optional: [...MOMENTS, 'q'],
    make: (entry) => normal('log_normal', entry, entry.q ?? 1),
  },
  beta: { required: [], optional: ['a', 'b'], make: (entry) => beta(entry, undefined) },
  q_beta: { required: [], optional: ['a', 'b', 'q'], make: (entry) => beta(entry, entry.q ?? 1) },
} as const satisfies Record<string, Shape>;

export type DistributionName = keyof typeof SHAPES;

export const DISTRIBUTION_NAMES = Object.keys(SHAPES) as [DistributionName, ...DistributionName[]];

/**
 * Returns the distribution of an entry, or the problem if the keys do not form a distribution. If the entry has no key
 * `distribution`, W&B's defaults apply: `value` means `constant`, `values` means `categorical`, and `values` with
 * `probabilities` means `categorical_w_probabilities`. `min` and `max` mean `int_uniform` if both are whole numbers,
 * and `uniform` otherwise.
 * @param floats whether `min` or `max` is written as a float in the file (`1.0`); the default is then `uniform`
 */
export function distributionOf(entry: DistributionEntry, floats = false): Distribution | string {
  const name = entry.distribution ?? impliedName(entry, floats);
  if (name === undefined) return 'expected "value", "values", "min" and "max", or "distribution"';
  const { required, optional, make }: Shape = SHAPES[name];
  const given = (Object.keys(entry) as (keyof DistributionEntry)[]).filter((key) => entry[key] !== undefined);
  const missing = required.filter((key) => !given.includes(key));
  if (missing.length > 0) return `distribution ${name} needs ${missing.map(quote).join(' and ')}`;
  const unknown = given.filter((key) => key !== 'distribution' && ![...required, ...optional].includes(key));
  if (unknown.length > 0)
    return `distribution ${name} takes ${[...required, ...optional].map(quote).join(', ')}, not ${unknown.map(quote).join(', ')}`;
  return make(entry);
}

function impliedName(entry: DistributionEntry, floats: boolean): DistributionName | undefined {
  if (entry.probabilities !== undefined) return 'categorical_w_probabilities';
  if (entry.values !== undefined) return 'categorical';
  if (entry.value !== undefined) return 'constant';
  if (entry.min === undefined || entry.max === undefined) return undefined;
  return !floats && Number.isInteger(entry.min) && Number.isInteger(entry.max) ? 'int_uniform' : 'uniform';
}

/** Formats a distribution on one line, such as `log_uniform_values from 0.0001 to 0.1`. */
export function distributionText(distribution: Distribution): string {
  switch (distribution.kind) {
    case 'constant':
      return `${distribution.value}`;
    case 'categorical': {
      const { values, probabilities } = distribution;
      return values.map((value, index) => `${value}${share(probabilities?.[index])}`).join(' | ');
    }
    case 'int_uniform':
      return `whole numbers from ${distribution.min} to ${distribution.max}`;
    case 'uniform':
      return `uniform from ${distribution.min} to ${distribution.max}${quantum(distribution.q)}`;
    case 'log_uniform':
      // In a sweep file, the limits of log_uniform would be exponents.
      return `log_uniform_values from ${distribution.min} to ${distribution.max}${quantum(distribution.q)}`;
    case 'normal':
    case 'log_normal':
      return `${distribution.kind} with mu ${distribution.mu}, sigma ${distribution.sigma}${quantum(distribution.q)}`;
    case 'beta':
      return `beta with a ${distribution.a}, b ${distribution.b}${quantum(distribution.q)}`;
  }
}

function share(probability: number | undefined): string {
  return probability === undefined ? '' : ` (${Number((probability * 100).toPrecision(3))}%)`;
}

function quantum(q: number | undefined): string {
  return q === undefined ? '' : `, in multiples of ${q}`;
}
