/** Implements the random and Sobol searches. The state of the searcher is the number of the next point. */
import { type Drawing, drawnPoint } from './drawn-points.ts';
import type { Searcher } from './searcher.ts';

/** The number of points of a Sobol sequence without its first point. */
const SOBOL_POINTS = 2 ** 30 - 1;

export function drawingSearcher(drawing: Drawing): Searcher {
  const points = drawing.method === 'sobol' ? SOBOL_POINTS : Number.MAX_SAFE_INTEGER;
  return {
    initialState: 0,
    usesResults: false,
    next(state) {
      const index = Number(state);
      if (index >= points) return { kind: 'done' };
      return { kind: 'point', point: drawnPoint(drawing, index), state: index + 1 };
    },
  };
}
