/** Converts the points of a search to the form that the estimators need: coordinates for each parameter that varies. */
import type { ParameterValue } from '../../../proto/trainers.ts';
import type { Distribution } from '../distribution.ts';
import { valueAt } from '../quantile.ts';
import { cellOf, isNumeric, type NumericDistribution } from './coordinates.ts';

export type Point = Readonly<Record<string, ParameterValue>>;

/** Returns whether a parameter has an effect at a point. */
export type IsActive = (point: Point, name: string) => boolean;

type Categorical = Distribution & { readonly kind: 'categorical' };

export type SearchDimension =
  | { readonly kind: 'numeric'; readonly name: string; readonly distribution: NumericDistribution }
  | {
      readonly kind: 'categorical';
      readonly name: string;
      readonly distribution: Categorical;
      readonly probabilities: readonly number[];
    };

/** The coordinate of a parameter that has no effect at the point. */
export const INACTIVE = Number.NaN;

/**
 * A point in the form of three numbers for each dimension. For a number, the three numbers are the center, the low end
 * and the high end of the value's cell. For a category, each of the three numbers is the index of the category. The
 * three numbers are INACTIVE if the parameter has no effect.
 */
export type Coordinates = Float64Array;

/** The number of entries in Coordinates for each dimension. */
export const STRIDE = 3;

/** Returns a dimension for each parameter whose value varies. */
export function searchDimensions(space: ReadonlyMap<string, Distribution>): SearchDimension[] {
  return [...space].flatMap(([name, distribution]): SearchDimension[] => {
    if (isNumeric(distribution)) return isSingle(distribution) ? [] : [{ kind: 'numeric', name, distribution }];
    if (distribution.kind === 'constant' || distribution.values.length < 2) return [];
    const { values } = distribution;
    const probabilities = distribution.probabilities ?? values.map(() => 1 / values.length);
    return [{ kind: 'categorical', name, distribution, probabilities }];
  });
}

function isSingle(distribution: NumericDistribution): boolean {
  return 'min' in distribution
    ? distribution.min === distribution.max
    : 'sigma' in distribution && distribution.sigma === 0;
}

/** Returns the coordinates of a point. A category that is not in the space counts as inactive. */
export function coordinatesOf(dimensions: readonly SearchDimension[], point: Point, isActive: IsActive): Coordinates {
  const coordinates = new Float64Array(dimensions.length * STRIDE).fill(INACTIVE);
  for (const [at, dimension] of dimensions.entries()) {
    const value = point[dimension.name];
    if (value === undefined || !isActive(point, dimension.name)) continue;
    if (dimension.kind === 'categorical') {
      const index = dimension.distribution.values.indexOf(value);
      if (index >= 0) coordinates.fill(index, at * STRIDE, (at + 1) * STRIDE);
    } else if (typeof value === 'number') {
      const { low, high } = cellOf(dimension.distribution, value);
      coordinates.set([(low + high) / 2, low, high], at * STRIDE);
    }
  }
  return coordinates;
}

/**
 * The lowest and the highest coordinate from which a value is computed. At 0 or 1, the value of an unbounded
 * distribution would be infinite.
 */
const MIN = 1e-9;
const MAX = 1 - 1e-9;

/**
 * Returns the point with the given coordinates.
 * @param coordinate returns a number from 0 to 1 for a numeric parameter, the index of a category for a categorical
 * parameter, or undefined for a parameter with a single value
 */
export function pointAtCoordinates(
  space: ReadonlyMap<string, Distribution>,
  coordinate: (name: string) => number | undefined,
): Record<string, ParameterValue> {
  // The object has no prototype, because a parameter can be named `__proto__`.
  const point: Record<string, ParameterValue> = Object.create(null);
  for (const [name, distribution] of space) {
    const at = coordinate(name);
    const isCategory = distribution.kind === 'categorical' && at !== undefined;
    const value = isCategory ? distribution.values[at] : valueAt(distribution, Math.min(MAX, Math.max(MIN, at ?? 0.5)));
    if (value !== undefined) point[name] = value;
  }
  return point;
}
