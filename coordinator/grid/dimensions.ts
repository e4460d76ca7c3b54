/** The grid's dimensions: the axes, zipped ones as one. */
import { BadInputError } from '../../proto/errors.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Axis } from './axes.ts';
import type { SweepSpec } from './spec.ts';

/** Axes that advance together (often just one). All have the dimension's size. */
export interface Dimension {
  readonly axes: readonly Axis[];
  readonly size: number;
}

/** The most points, times seeds, that a grid may have: beyond it counts would not be exact. */
export const MAX_GRID_POINTS = Number.MAX_SAFE_INTEGER;

/** In the order of the axes; a zipped dimension stands where its first axis does. The last one turns fastest. */
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

/** @throws {BadInputError} when the points, times `factor`, are more than MAX_GRID_POINTS. */
export function pointCount(dimensions: readonly Dimension[], factor: number): number {
  const count = dimensions.reduce((product, { size }) => product * BigInt(size), 1n);
  if (count * BigInt(factor) > BigInt(MAX_GRID_POINTS)) {
    throw new BadInputError(
      `the grid has ${count.toLocaleString('en')} points for each of ${factor} seeds, more than the ` +
        `${MAX_GRID_POINTS.toLocaleString('en')} that can be counted; shorten an axis or widen a step`,
    );
  }
  return Number(count);
}

/** The point at one index for each dimension. */
export function pointAt(dimensions: readonly Dimension[], indexes: readonly number[]): Record<string, ParameterValue> {
  const point: Record<string, ParameterValue> = {};
  for (const [position, { axes }] of dimensions.entries()) {
    for (const axis of axes) point[axis.name] = axis.at(indexes[position] ?? 0);
  }
  return point;
}
