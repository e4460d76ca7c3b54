/** Implements the random and Sobol searches, whose points do not depend on results. */
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Distribution } from './distribution.ts';
import { valueAt } from './quantile.ts';
import { randomCoordinate } from './random.ts';
import type { SearchState, Suggestion } from './searcher.ts';
import { SOBOL_POINTS, sobolCoordinate } from './sobol.ts';

/** A search whose points are independent of results. The first members of a population (`pbt`) are random points. */
export interface DrawnSearch {
  readonly method: 'random' | 'sobol' | 'pbt';
  /** Random searches with different seeds have different points. Sobol sequences have no seed. */
  readonly seed: number;
  /** The distribution of each parameter, in the file's order. */
  readonly space: ReadonlyMap<string, Distribution>;
}

/**
 * Returns a point. The point depends only on the search and on `index`, so a longer search begins with the same points.
 * @param index the number of the point, from 0
 */
export function drawnPoint({ method, seed, space }: DrawnSearch, index: number): Record<string, ParameterValue> {
  // The object has no prototype, because a parameter can be named `__proto__`.
  const point: Record<string, ParameterValue> = Object.create(null);
  let dimension = 0;
  for (const [name, distribution] of space) {
    if (distribution.kind === 'constant') point[name] = distribution.value;
    else {
      const share = method === 'sobol' ? sobolCoordinate(index, dimension++) : randomCoordinate(seed, index, name);
      point[name] = valueAt(distribution, share);
    }
  }
  return point;
}

/**
 * Returns the next point of a search.
 * @param state the number of the point, from 0
 */
export function nextDrawnPoint(drawing: DrawnSearch, state: SearchState): Suggestion {
  const index = Number(state);
  if (drawing.method === 'sobol' && index >= SOBOL_POINTS) return { kind: 'done' };
  return { kind: 'point', point: drawnPoint(drawing, index), state: index + 1 };
}
