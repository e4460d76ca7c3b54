/** Computes the dimensions of the grid. Each axis, or each group of zipped axes, is one dimension. */
import { BadInputError } from '../../proto/errors.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Axis } from './axes.ts';
import type { SweepSpec } from './spec.ts';

/** One axis, or several axes of one size that advance together. */
export interface Dimension {
  readonly axes: readonly Axis[];
  readonly size: number;
}

/** The largest count that a number represents exactly. */
const MAX_GRID_POINTS = Number.MAX_SAFE_INTEGER;

/**
 * Returns the dimensions in the order of the axes. A group is at the position of its first axis. The last dimension
 * varies fastest.
 */
export function dimensionsOf(spec: Pick<SweepSpec, 'axes' | 'zip'>): Dimension[] {
  const dimensions: Dimension[] = [];
  const placed = new Set<string>();
  for (const axis of spec.axes) {
    if (placed.has(axis.name)) continue;
    const group = spec.zip.find((names) => names.includes(axis.name)) ?? [axis.name];
    const axes = spec.axes.filter(({ name }) => group.includes(name));
    for (const { name } of axes) placed.add(name);
    dimensions.push({ axes, size: axis.size });
  }
  return dimensions;
}

/**
 * Returns the number of points.
 * @throws {BadInputError} if the points times `factor` exceed MAX_GRID_POINTS
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

/** Returns the point at the given index of each dimension. */
export function pointAt(dimensions: readonly Dimension[], indexes: readonly number[]): Record<string, ParameterValue> {
  // A parameter can be named `__proto__`.
  const point: Record<string, ParameterValue> = Object.create(null);
  for (const [position, { axes }] of dimensions.entries()) {
    for (const axis of axes) point[axis.name] = axis.at(indexes[position] ?? 0);
  }
  return point;
}

/**
 * Converts an index to one digit per dimension (mixed radix). The last digit varies fastest, as in nested loops. Exact
 * while the product of the sizes is at most Number.MAX_SAFE_INTEGER.
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
