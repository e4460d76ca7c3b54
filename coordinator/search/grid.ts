/** Implements grid search: every point of the grid, in the order of the sweep. */
import type { Axis } from '../grid/axes.ts';
import { dimensionsOf, pointAt, pointCount } from '../grid/points.ts';
import { shuffledIndex } from './permutation.ts';
import type { SearchState, Suggestion } from './searcher.ts';

export interface GridSearch {
  readonly axes: readonly Axis[];
  readonly zip: readonly (readonly string[])[];
  readonly order: { readonly kind: 'grid' } | { readonly kind: 'shuffled'; readonly seed: number };
}

/**
 * Returns the next point of a grid.
 * @param state the position of the point, from 0
 * @throws {BadInputError} if the grid has more than MAX_GRID_POINTS points
 */
export function nextGridPoint({ axes, zip, order }: GridSearch, state: SearchState): Suggestion {
  const position = Number(state);
  const dimensions = dimensionsOf({ axes, zip });
  const points = pointCount(dimensions, 1);
  if (position >= points) return { kind: 'done' };
  const index = order.kind === 'grid' ? position : shuffledIndex(position, points, order.seed);
  return { kind: 'point', point: pointAt(dimensions, index), state: position + 1 };
}
