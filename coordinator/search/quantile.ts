/**
 * Maps a number between 0 and 1 to a value of a distribution. Random search and Sobol sequences therefore draw values
 * in the same way.
 */
import jStat from 'jstat';
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Distribution } from './distribution.ts';

/** The number of significant digits of a value. With more digits, 3 times 0.1 would be 0.30000000000000004. */
const DIGITS = 15;

/**
 * Returns the value below which a share `u` of the distribution lies (the inverse of its cumulative distribution
 * function). With `q`, the value is the nearest multiple of q. If any multiple of q lies between min and max, the
 * returned multiple does too.
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
      const values = max - min + 1;
      if (!Number.isFinite(values)) return Math.round(between(min, max, u)) + 0;
      return Math.min(max, min + Math.floor(u * values)) + 0;
    }
    case 'uniform': {
      const { min, max, q } = distribution;
      return rounded(between(min, max, u), q, { min, max });
    }
    case 'log_uniform': {
      const { min, max, q } = distribution;
      const ratio = max / min;
      const value = Number.isFinite(ratio) ? min * ratio ** u : Math.exp(between(Math.log(min), Math.log(max), u));
      return rounded(value, q, { min, max });
    }
    case 'normal':
      return rounded(normalAt(distribution, u), distribution.q);
    case 'log_normal':
      return rounded(Math.exp(normalAt(distribution, u)), distribution.q);
    case 'beta':
      // For shares closer to 0 or 1 than these limits, jStat returns NaN for some values of a and b.
      return rounded(jStat.beta.inv(clamped(u, 1e-12, 1 - 1e-12), distribution.a, distribution.b), distribution.q);
  }
}

/** The limits of a and b of a beta distribution. Outside these limits, jStat returns wrong quantiles or NaN. */
const [MIN_BETA, MAX_BETA] = [1e-4, 1e5];

/** The shares at which a distribution is checked. A search draws practically no share that is closer to 0 or 1. */
const END_SHARES = [2 ** -53, 1 - 2 ** -53] as const;

/** Returns the reason why values of a distribution cannot be drawn. Undefined if they can be drawn. */
export function drawingProblem(distribution: Distribution): string | undefined {
  if (distribution.kind === 'constant' || distribution.kind === 'categorical') return undefined;
  if (distribution.kind === 'beta') {
    const { a, b } = distribution;
    if (Math.min(a, b) < MIN_BETA || Math.max(a, b) > MAX_BETA)
      return `a (${a}) and b (${b}) must be from ${MIN_BETA} to ${MAX_BETA}`;
  }
  if (distribution.kind === 'normal' || distribution.kind === 'log_normal') {
    const { kind, mu, sigma } = distribution;
    const ends = END_SHARES.map((u) => valueAt({ ...distribution, q: undefined }, u));
    if (!ends.every(Number.isFinite)) return `mu (${mu}) and sigma (${sigma}) give values beyond the largest number`;
    if (kind === 'log_normal' && ends[1] === 0) return `mu (${mu}) and sigma (${sigma}) give only the value 0`;
  }
  if (distribution.kind === 'int_uniform' || distribution.q === undefined) return undefined;
  const { q } = distribution;
  if (!END_SHARES.every((u) => Number.isFinite(valueAt(distribution, u)))) return `q (${q}) is too small`;
  if (!('min' in distribution)) return undefined;
  const { min, max } = distribution;
  const { first, last } = multiplesIn({ min, max }, q);
  return first > last ? `no multiple of q (${q}) is between ${min} and ${max}` : undefined;
}

/** Returns the number that lies the given share of the way from min to max, even if `max - min` overflows. */
function between(min: number, max: number, share: number): number {
  const distance = max - min;
  return Number.isFinite(distance) ? min + share * distance : min * (1 - share) + max * share;
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
  const { first, last } = multiplesIn({ min, max }, q);
  return roundedValue((first <= last ? clamped(multiple, first, last) : multiple) * q);
}

/** Returns the first and last integer k for which k * q is within the limits. If there is none, first > last. */
function multiplesIn({ min, max }: Limits, q: number): { readonly first: number; readonly last: number } {
  // A very small quotient is rounded to 0, although 0 is outside the limits.
  const first = min > 0 ? Math.max(1, Math.ceil(roundedValue(min / q))) : Math.ceil(roundedValue(min / q));
  const last = max < 0 ? Math.min(-1, Math.floor(roundedValue(max / q))) : Math.floor(roundedValue(max / q));
  return { first, last };
}

/**
 * Rounds a number to DIGITS significant digits. Adding 0 turns -0 into 0, because some programs write -0 and 0
 * differently.
 */
export function roundedValue(value: number): number {
  return Number(value.toPrecision(DIGITS)) + 0;
}

function clamped(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
