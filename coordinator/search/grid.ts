/**
 * Implements grid search: every point of the grid, in order of index. The state of the searcher is the position of the
 * next point.
 */
import type { Axis } from '../grid/axes.ts';
import { digitsOf, dimensionsOf, pointAt, pointCount } from '../grid/points.ts';
import { shuffledIndex } from './permutation.ts';
import type { Searcher } from './searcher.ts';

export interface GridSearch {
  readonly axes: readonly Axis[];
  readonly zip: readonly (readonly string[])[];
  readonly order: { readonly kind: 'grid' } | { readonly kind: 'shuffled'; readonly seed: number };
}

/** @throws {BadInputError} if the grid has more than MAX_GRID_POINTS points */
export function gridSearcher({ axes, zip, order }: GridSearch): Searcher {
  const dimensions = dimensionsOf({ axes, zip });
  const sizes = dimensions.map(({ size }) => size);
  const points = pointCount(dimensions, 1);
  return {
    initialState: 0,
    usesResults: false,
    next(state) {
      const position = Number(state);
      if (position >= points) return { kind: 'done' };
      const index = order.kind === 'grid' ? position : shuffledIndex(position, points, order.seed);
      return { kind: 'point', point: pointAt(dimensions, digitsOf(sizes, index)), state: position + 1 };
    },
  };
}
