/** Maps a number between 0 and 1 to a value of a distribution. Any source of such numbers can therefore draw values. */
import jStat from 'jstat';
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Distribution } from './distribution.ts';

/** The number of significant digits of a value. With more digits, 3 times 0.1 would be 0.30000000000000004. */
const DIGITS = 15;

/**
 * Returns the value below which a share `u` of the distribution lies (the inverse of its cumulative distribution
 * function). With `q`, the value is the nearest multiple of q. The multiple is within min and max if a multiple lies
 * between them.
 * @param u above 0 and below 1
 */
export function valueAt(distribution: Distribution, u: number): ParameterValue {
  switch (distribution.kind) {
    case 'constant':
      return distribution.value;
    case 'categorical':
      return categoryAt(distribution, u);
    case 'int_uniform': {
      const { min, max } = distribution;
      return Math.min(max, min + Math.floor(u * (max - min + 1))) + 0;
    }
    case 'uniform': {
      const { min, max, q } = distribution;
      return rounded(min + u * (max - min), q, { min, max });
    }
    case 'log_uniform': {
      const { min, max, q } = distribution;
      return rounded(min * (max / min) ** u, q, { min, max });
    }
    case 'normal':
      return rounded(normalAt(distribution, u), distribution.q);
    case 'log_normal':
      return rounded(Math.exp(normalAt(distribution, u)), distribution.q);
    case 'beta':
      return rounded(jStat.beta.inv(u, distribution.a, distribution.b), distribution.q);
  }
}

type Categorical = Distribution & { readonly kind: 'categorical' };

function categoryAt(distribution: Categorical, u: number): ParameterValue {
  const value = distribution.values[categoryIndexAt(distribution, u)];
  if (value === undefined) throw new RangeError('a categorical distribution must have a value that can be drawn');
  return value;
}

/**
 * Returns the index of the first value whose cumulative probability, in the order of the values, exceeds `u`. If there
 * is no such value, returns the index of the last value that can be drawn; -1 if no value can be drawn.
 */
export function categoryIndexAt({ values, probabilities }: Categorical, u: number): number {
  let below = 0;
  let drawn = -1;
  for (const index of values.keys()) {
    const probability = probabilities?.[index] ?? 1 / values.length;
    if (probability === 0) continue;
    drawn = index;
    below += probability;
    if (u < below) break;
  }
  // Due to rounding, the sum of the probabilities can be less than u. In this case, the last value is drawn.
  return drawn;
}

function normalAt({ mu, sigma }: { readonly mu: number; readonly sigma: number }, u: number): number {
  // The median is exactly mu, but jStat would return a rounded value.
  return sigma === 0 || u === 0.5 ? mu : jStat.normal.inv(u, mu, sigma);
}

interface Limits {
  readonly min: number;
  readonly max: number;
}

const UNLIMITED: Limits = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };

function rounded(value: number, q: number | undefined, { min, max }: Limits = UNLIMITED): number {
  if (q === undefined) return clamped(roundedValue(value), min, max);
  const multiple = Math.round(value / q);
  const first = Math.ceil(roundedValue(min / q));
  const last = Math.floor(roundedValue(max / q));
  return roundedValue((first <= last ? clamped(multiple, first, last) : multiple) * q);
}

/**
 * Rounds a number to the digits that parameter values have. Adding 0 turns -0 into 0, because not every program writes
 * -0 as 0.
 */
export function roundedValue(value: number): number {
  return Number(value.toPrecision(DIGITS)) + 0;
}

function clamped(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
