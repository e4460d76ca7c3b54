/** Implements grid search: yields every point of the grid, in grid order or shuffled. */
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

/**
 * Returns how many consecutive points, counted from a given point, have the same values of the given parameters.
 * Returns 1 if the order is shuffled.
 * @param state the position of the first point, from 0
 * @param names the names of the given parameters
 */
export function equalPoints({ axes, zip, order }: GridSearch, state: SearchState, names: ReadonlySet<string>): number {
  if (order.kind === 'shuffled') return 1;
  let block = 1;
  for (const dimension of dimensionsOf({ axes, zip }).reverse()) {
    if (dimension.axes.some(({ name }) => names.has(name))) break;
    block *= dimension.size;
  }
  return block - (Number(state) % block);
}
