/** One parameter's values, in order, each by its index. */
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Json } from './canonical-json.ts';
import { type Decimal, decimalOf, digitsAt } from './decimal.ts';

export interface Axis {
  readonly name: string;
  readonly size: number;
  /** Whether a value may stand at more than one index (zipped axes only). */
  readonly repeats: boolean;
  /** The value at an index from 0 to size - 1. */
  at(index: number): ParameterValue;
  /** The first index of a value, or -1. */
  indexOf(value: ParameterValue): number;
  /** What the axis is, as data: for fingerprints. */
  readonly definition: Json;
}

/** The most values that one axis may list; min, max and step have no such limit. */
export const MAX_LISTED_VALUES = 10_000;

/** A value further from zero than this many steps' digits could not be told from its neighbour (a double holds 15). */
export const MAX_STEP_DIGITS = 15;

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
}

/**
 * min, min + step, ... up to max: computed, never listed, in decimal arithmetic (0.1 steps give 0.3, not
 * 0.30000000000000004). max itself is on the axis only when a step lands on it.
 * Returns what is wrong, as text to follow "min, max and step", when the three do not make an axis.
 */
export function steppedAxis(name: string, { min, max, step }: Steps): Axis | string {
  if (!(step > 0)) return 'need a step above 0';
  if (max < min) return `need max (${max}) to be at least min (${min})`;
  const [first, last, stride] = [decimalOf(min), decimalOf(max), decimalOf(step)];
  const scale = Math.max(first.scale, stride.scale);
  const span = Math.max(scale, last.scale);
  const steps = (digitsAt(last, span) - digitsAt(first, span)) / digitsAt(stride, span);
  if (steps === 0n) return `need a step (${step}) no larger than max - min; for a single value write value: ${min}`;
  const from = digitsAt(first, scale);
  const by = digitsAt(stride, scale);
  const to = from + by * steps;
  const limit = 10n ** BigInt(MAX_STEP_DIGITS);
  if (from <= -limit || from >= limit || to >= limit) {
    return `need values that ${MAX_STEP_DIGITS} digits can tell apart: the step is too fine for numbers of this size`;
  }
  return computedAxis(name, { from: Number(from), by: Number(by), size: Number(steps) + 1, scale });
}

/** Digits below 10^15 in size: plain numbers hold them exactly. */
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
