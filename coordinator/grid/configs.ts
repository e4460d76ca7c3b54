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

/** A point, after the rules of the sweep. */
export type WalkedPoint =
  | {
      readonly kind: 'config';
      /** The parameters after `when`, completed with the trainer's defaults. */
      readonly parameters: Parameters;
      readonly configId: string;
      readonly trialId: (seed: number) => string;
    }
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
  for (const point of pointsOf(spec, () => seen.size)) {
    const effect = effectOf(spec, point);
    if ('excludedBy' in effect) {
      yield { kind: 'excluded', rule: effect.excludedBy };
      continue;
    }
    const parameters = withDefaults(trainer, { ...point, ...effect.overrides });
    const ids = idsOf(spec.trainer, parameters);
    if (seen.has(ids.configId)) {
      yield { kind: 'duplicate' };
      continue;
    }
    seen.add(ids.configId);
    yield { kind: 'config', parameters, ...ids };
  }
}

/** @param configs returns the number of distinct configs so far */
function* pointsOf(spec: SweepSpec, configs: () => number): Generator<Parameters & GridPoint, void, undefined> {
  if (isDrawn(spec.search)) {
    let last = 0;
    for (let index = 0, newest = 0; index - newest < MAX_REPEATED_POINTS; index++) {
      yield drawnPoint(spec.search, index);
      if (configs() > last) newest = index;
      last = configs();
    }
    return;
  }
  const dimensions = dimensionsOf(spec);
  const sizes = dimensions.map(({ size }) => size);
  const points = pointCount(dimensions, 1);
  for (let position = 0; position < points; position++) yield pointAt(dimensions, digitsOf(sizes, position));
}
