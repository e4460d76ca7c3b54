/** Walks the points of a sweep in order and keeps the distinct configs. */
import { type Parameters, TRAINERS, type TrainerSpec, withDefaults } from '../../proto/trainers.ts';
import { drawnPoint } from '../search/drawn-points.ts';
import { digitsOf, dimensionsOf, effectOf, type GridPoint, pointAt, pointCount } from './points.ts';
import { isDrawn, type SweepSpec } from './spec.ts';
import { idsOf } from './trial-id.ts';

/**
 * A search ends after this many consecutive points without a new config, because its space then has few or no further
 * points.
 */
const MAX_REPEATED_POINTS = 10_000;

/** The first point of a config. */
export interface ConfigPoint {
  readonly kind: 'config';
  /** The parameters after `when`, completed with the trainer's defaults. */
  readonly parameters: Parameters;
  readonly configId: string;
  readonly trialId: (seed: number) => string;
}

/** A point, after the rules of the sweep. */
export type WalkedPoint =
  | ConfigPoint
  /** An exclude rule, by its position, drops the point. */
  | { readonly kind: 'excluded'; readonly rule: number }
  /** The point is equal to an earlier point. */
  | { readonly kind: 'duplicate' };

/**
 * Yields every point of a grid, or the points of a random or Sobol search until it repeats itself. The caller stops
 * when it has enough configs.
 */
export function* walkPoints(spec: SweepSpec): Generator<WalkedPoint, void, undefined> {
  const trainer: TrainerSpec = TRAINERS[spec.trainer];
  const seen = new Set<string>();
  const walked = (point: Parameters & GridPoint): WalkedPoint => {
    const effect = effectOf(spec, point);
    if ('excludedBy' in effect) return { kind: 'excluded', rule: effect.excludedBy };
    const parameters = withDefaults(trainer, { ...point, ...effect.overrides });
    const ids = idsOf(spec.trainer, parameters);
    if (seen.has(ids.configId)) return { kind: 'duplicate' };
    seen.add(ids.configId);
    return { kind: 'config', parameters, ...ids };
  };
  if (!isDrawn(spec.search)) {
    for (const point of gridPoints(spec)) yield walked(point);
    return;
  }
  for (let index = 0, repeated = 0; repeated < MAX_REPEATED_POINTS; index++) {
    const point = walked(drawnPoint(spec.search, index));
    repeated = point.kind === 'config' ? 0 : repeated + 1;
    yield point;
  }
}

function* gridPoints(spec: SweepSpec): Generator<Parameters & GridPoint, void, undefined> {
  const dimensions = dimensionsOf(spec);
  const sizes = dimensions.map(({ size }) => size);
  const points = pointCount(dimensions, 1);
  for (let position = 0; position < points; position++) yield pointAt(dimensions, digitsOf(sizes, position));
}
