/** Defines axes. An axis is the ordered list of the values of one parameter, accessed by index. */
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Json } from '../../proto/values.ts';

export interface Axis {
  readonly name: string;
  readonly size: number;
  /** Whether a value occurs at more than one index. Only a zipped axis may repeat values. */
  readonly repeats: boolean;
  /**
   * Returns the value at an index.
   * @throws {RangeError} unless 0 <= index < size
   */
  at(index: number): ParameterValue;
  /** Returns the first index of a value, or -1. */
  indexOf(value: ParameterValue): number;
  /** The axis as plain data, from which fingerprints are computed. */
  readonly definition: Json;
}

/** The maximum length of a list of values. Axes with min, max and step have no limit on their length. */
export const MAX_LISTED_VALUES = 10_000;

/**
 * The number of decimal digits that a double represents exactly. With more digits, neighboring values could be equal.
 */
const MAX_STEP_DIGITS = 15;

export function listedAxis(name: string, listed: readonly ParameterValue[]): Axis {
  const values = listed.map(withoutMinusZero);
  const indexes = new Map<ParameterValue, number>();
  for (const [index, value] of values.entries()) if (!indexes.has(value)) indexes.set(value, index);
  return {
    name,
    size: values.length,
    repeats: indexes.size < values.length,
    at(index) {
      const value = values[index];
      if (value === undefined) throw new RangeError(`axis ${name} has no index ${index}`);
      return value;
    },
    indexOf: (value) => indexes.get(value) ?? -1,
    definition: values,
  };
}

export interface Steps {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** Whether max is excluded even if a step reaches max, as in numpy.arange. Default: false. */
  readonly excludesMax?: boolean;
}

/**
 * Returns the axis with the values `min`, `min + step`, ... up to `max`, or an error message. Values are computed on
 * access, in decimal arithmetic: steps of 0.1 give 0.3, not 0.30000000000000004. The axis contains `max` only if a step
 * reaches it exactly.
 */
export function steppedAxis(name: string, { min, max, step, excludesMax = false }: Steps): Axis | string {
  if (!(step > 0)) return `step must be greater than 0, got ${step}`;
  if (max < min) return `max (${max}) is less than min (${min})`;
  const [first, last, stride] = [decimalOf(min), decimalOf(max), decimalOf(step)];
  const scale = Math.max(first.scale, stride.scale);
  const span = Math.max(scale, last.scale);
  const distance = digitsAt(last, span) - digitsAt(first, span);
  if (excludesMax && distance === 0n) return `min (${min}) must be less than max (${max}), because max is excluded`;
  const steps = (excludesMax ? distance - 1n : distance) / digitsAt(stride, span);
  if (steps === 0n && !excludesMax)
    return `step (${step}) is greater than max - min; for a single value, write "value: ${min}"`;
  const from = digitsAt(first, scale);
  const by = digitsAt(stride, scale);
  const to = from + by * steps;
  const limit = 10n ** BigInt(MAX_STEP_DIGITS);
  if (from <= -limit || from >= limit || to >= limit) {
    return `step (${step}) is too small: the values need more than ${MAX_STEP_DIGITS} digits`;
  }
  return computedAxis(name, { from: Number(from), by: Number(by), size: Number(steps) + 1, scale });
}

/**
 * Returns an axis whose values are computed on access. The digits of a value form an integer below 10^15, which a
 * JavaScript number represents exactly.
 */
function computedAxis(name: string, grid: { from: number; by: number; size: number; scale: number }): Axis {
  const { from, by, size, scale } = grid;
  return {
    name,
    size,
    repeats: false,
    at(index) {
      if (!(index >= 0 && index < size)) throw new RangeError(`axis ${name} has no index ${index}`);
      const digits = from + by * index;
      return scale === 0 ? digits : Number(`${digits}e${-scale}`);
    },
    indexOf(value) {
      if (typeof value !== 'number') return -1;
      const decimal: Decimal = decimalOf(value);
      if (decimal.scale > scale) return -1;
      const offset = digitsAt(decimal, scale) - BigInt(from);
      if (offset < 0n || offset % BigInt(by) !== 0n) return -1;
      const index = offset / BigInt(by);
      return index < BigInt(size) ? Number(index) : -1;
    },
    definition: { from, by, size, scale },
  };
}

function withoutMinusZero(value: ParameterValue): ParameterValue {
  return value === 0 ? 0 : value;
}

/**
 * An exact decimal, `digits * 10^-scale`. A decimal has no rounding errors: 0.1 is 1 * 10^-1 and not the nearest binary
 * fraction.
 */
interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

function decimalOf(value: number): Decimal {
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const scale = fraction.length - Number(exponent);
  const digits = BigInt(whole + fraction);
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

function digitsAt(decimal: Decimal, scale: number): bigint {
  return decimal.digits * 10n ** BigInt(scale - decimal.scale);
}
