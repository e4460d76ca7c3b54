/** Computes the dimensions and points of the grid, and applies the rules of a sweep to a point. */
import { group } from 'd3-array';
import { formatParameter } from '../../lib/text/numbers.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Axis } from './axes.ts';

/** One axis, or several axes of equal size that advance together. */
export interface Dimension {
  readonly axes: readonly Axis[];
  readonly size: number;
}

/**
 * The maximum of (number of points) x (number of seeds). JavaScript numbers represent larger integers only inexactly.
 */
const MAX_GRID_POINTS = Number.MAX_SAFE_INTEGER;

/**
 * Returns the dimensions in the order of their axes. A group of zipped axes has the position of its first axis. The
 * last dimension varies fastest.
 */
export function dimensionsOf({
  axes,
  zip,
}: {
  readonly axes: readonly Axis[];
  readonly zip: readonly (readonly string[])[];
}): Dimension[] {
  const groupOf = new Map(zip.flatMap((names) => names.map((name) => [name, names])));
  const dimensions = group(axes, (axis) => groupOf.get(axis.name) ?? axis);
  return [...dimensions.values()].map((members) => ({ axes: members, size: members[0]?.size ?? 1 }));
}

/**
 * Returns the number of points of the grid.
 * @throws {BadInputError} if the number of points times `factor` exceeds MAX_GRID_POINTS
 */
export function pointCount(dimensions: readonly Dimension[], factor: number): number {
  const count = dimensions.reduce((product, { size }) => product * BigInt(size), 1n);
  if (count * BigInt(factor) > BigInt(MAX_GRID_POINTS)) {
    throw new BadInputError(
      `grid too large: ${count.toLocaleString('en')} points with ${factor} seeds each (max ` +
        `${MAX_GRID_POINTS.toLocaleString('en')} in total); shorten an axis or widen a step`,
    );
  }
  return Number(count);
}

/** Returns the point with the given index in grid order. */
export function pointAt(dimensions: readonly Dimension[], index: number): Record<string, ParameterValue> {
  const digits = digitsOf(
    dimensions.map(({ size }) => size),
    index,
  );
  // The object has no prototype, because a parameter can be named `__proto__`.
  const point: Record<string, ParameterValue> = Object.create(null);
  for (const [position, { axes }] of dimensions.entries()) {
    for (const axis of axes) point[axis.name] = axis.at(digits[position] ?? 0);
  }
  return point;
}

/**
 * Converts an index to one digit per dimension (mixed radix). The last digit varies fastest, as in nested loops. The
 * result is exact while the product of the sizes is at most Number.MAX_SAFE_INTEGER.
 */
export function digitsOf(sizes: readonly number[], index: number): number[] {
  const digits = new Array<number>(sizes.length);
  let rest = index;
  for (let dimension = sizes.length - 1; dimension >= 0; dimension--) {
    const size = sizes[dimension] ?? 1;
    digits[dimension] = rest % size;
    rest = Math.floor(rest / size);
  }
  return digits;
}

/**
 * A class of the rows of one dimension. A row is an index of the dimension, with the value of each axis at this index.
 * A class is either a single row, for example because a rule names it, or all remaining rows.
 */
export interface Class {
  readonly row: number | undefined;
  readonly count: number;
}

/**
 * Returns the classes of a dimension.
 * @param named the values that rules name, by parameter
 * @param targets the parameters that `when` sets
 */
export function classesOf(
  { axes, size }: Dimension,
  named: ReadonlyMap<string, ReadonlySet<ParameterValue>>,
  targets: ReadonlySet<string>,
): Class[] {
  // If `when` overwrites some of the zipped parameters, rows that differ only in those parameters become equal. Each
  // row then forms its own class, so that equal rows are counted once.
  const distinct = axes.some(({ repeats }) => repeats) && axes.some(({ name }) => targets.has(name));
  const rows = new Set<number>(distinct ? indexes(size) : axes.flatMap((axis) => rowsOf(axis, named.get(axis.name))));
  const classes: Class[] = [...rows].map((row) => ({ row, count: 1 }));
  if (rows.size < size) classes.push({ row: undefined, count: size - rows.size });
  return classes;
}

function rowsOf(axis: Axis, values: ReadonlySet<ParameterValue> | undefined): number[] {
  if (values === undefined) return [];
  if (axis.repeats) return indexes(axis.size).filter((index) => values.has(axis.at(index)));
  return [...values].map((value) => axis.indexOf(value)).filter((index) => index >= 0);
}

function indexes(size: number): number[] {
  return Array.from({ length: size }, (_, index) => index);
}

export interface Condition {
  readonly name: string;
  readonly anyOf: readonly ParameterValue[];
}

/** A rule that drops the points that match all of its conditions. */
export interface ExcludeRule {
  readonly conditions: readonly Condition[];
}

/** A rule that sets parameters of the points that match all of its conditions. */
export interface WhenRule {
  readonly conditions: readonly Condition[];
  readonly set: Readonly<Record<string, ParameterValue>>;
}

/** A point of the grid before any `when` rule is applied. A missing parameter matches no condition. */
export type GridPoint = Readonly<Record<string, ParameterValue | undefined>>;

export function matchesConditions(conditions: readonly Condition[], point: GridPoint): boolean {
  return conditions.every(({ name, anyOf }) => {
    const value = point[name];
    return value !== undefined && anyOf.includes(value);
  });
}

/** The rules that apply to the points of a sweep. */
export interface Rules {
  readonly exclude: readonly ExcludeRule[];
  readonly when: readonly WhenRule[];
}

/**
 * Either the position of the first `exclude` rule that drops a point or, if no rule drops the point, the parameters
 * that `when` sets.
 */
export type RuleEffect =
  | { readonly excludedBy: number }
  | { readonly overrides: Readonly<Record<string, ParameterValue>> };

/**
 * Returns the effect of the rules on a point. Conditions refer to the point before any `when` rule is applied. Later
 * `when` rules take precedence.
 */
export function effectOf({ exclude, when }: Rules, point: GridPoint): RuleEffect {
  const excludedBy = exclude.findIndex((rule) => matchesConditions(rule.conditions, point));
  if (excludedBy >= 0) return { excludedBy };
  const overrides: Record<string, ParameterValue> = Object.create(null);
  for (const rule of when) if (matchesConditions(rule.conditions, point)) Object.assign(overrides, rule.set);
  return { overrides };
}

/** Returns whether a `when` rule sets a parameter of the point. In this case, the point's own value has no effect. */
export function isSet({ when }: Pick<Rules, 'when'>, point: GridPoint, name: string): boolean {
  return when.some(({ conditions, set }) => Object.hasOwn(set, name) && matchesConditions(conditions, point));
}

/** Returns a rule on one line: `depth=5, noise_std=0|0.5`. */
export function ruleText(conditions: readonly Condition[]): string {
  return conditions.map(({ name, anyOf }) => `${name}=${anyOf.map(formatParameter).join('|')}`).join(', ');
}
