/** Takes a sample of the points of a sweep, without enumerating its grid. */
import { type Parameters, TRAINERS, type TrainerSpec, withDefaults } from '../../proto/trainers.ts';
import { drawnPoint } from '../search/drawn.ts';
import { dimensionsOf, effectOf, type GridPoint, pointAt, pointCount } from './points.ts';
import { isDrawn, type SweepSpec } from './spec.ts';

/**
 * Returns the parameters of up to `limit` points, after `exclude` and `when`. From a grid, the points are taken at
 * roughly equal distances in grid order. For a search whose points depend on results, random points are drawn instead.
 */
export function samplePoints(spec: SweepSpec, limit: number): Parameters[] {
  const trainer: TrainerSpec = TRAINERS[spec.trainer];
  const points = spec.search === undefined ? evenlySpaced(spec, limit) : drawn(spec, limit);
  return points.flatMap((point) => {
    const effect = effectOf(spec, point);
    return 'excludedBy' in effect ? [] : [withDefaults(trainer, { ...point, ...effect.overrides })];
  });
}

function evenlySpaced(spec: SweepSpec, limit: number): (Parameters & GridPoint)[] {
  const dimensions = dimensionsOf(spec);
  const count = pointCount(dimensions, 1);
  const taken = Math.min(count, limit);
  // Each position is moved by a different fraction of the distance between positions. Otherwise, all points could have
  // the same values on the last axes.
  return Array.from({ length: taken }, (_, index) => {
    const position = Math.floor(((index + fractionAt(index, taken < count)) * count) / taken);
    return pointAt(dimensions, Math.min(position, count - 1));
  });
}

/**
 * Returns how far a position is moved, as a fraction of the distance between positions; 0 if every point of the grid is
 * taken. The fractions are multiples of the golden ratio, modulo 1, because such multiples are evenly distributed.
 */
function fractionAt(index: number, isSample: boolean): number {
  return isSample ? ((index + 1) * 0.6180339887498949) % 1 : 0;
}

function drawn({ search, runCap }: SweepSpec, limit: number): (Parameters & GridPoint)[] {
  if (search === undefined) return [];
  const drawing = isDrawn(search) ? search : { ...search, method: 'random' as const };
  return Array.from({ length: Math.min(runCap ?? limit, limit) }, (_, index) => drawnPoint(drawing, index));
}
